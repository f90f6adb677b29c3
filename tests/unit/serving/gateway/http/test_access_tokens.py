"""Who may ask."""

from pathlib import Path

import pytest

from serving.gateway.http.access_tokens import AccessTokens
from transforms.input_error import InputError

FIRST, SECOND = "first-token-0123456", "second_token/+=6789"


@pytest.mark.parametrize(
    ("authorization", "client"),
    [
        (f"Bearer {FIRST}", "token 0"),
        (f"Bearer {SECOND}", "token 1"),
        (f"BEARER   {SECOND}  ", "token 1"),
        (FIRST, None),
        ("", None),
        ("Bearer", None),
        ("Bearer ", None),
        (f"Basic {FIRST}", None),
        (f"Bearer {FIRST[:-1]}", None),
        (f"Bearer {FIRST.upper()}", None),
        (f"Bearer {FIRST} {SECOND}", None),
        ("Bearer \xff\x00", None),
    ],
)
def test_who_it_is(tmp_path: Path, authorization: str, client: str | None) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"{FIRST}\n\n  {SECOND}  \n")
    assert AccessTokens.read(file).client_of(authorization.encode("latin-1")) == client
    assert AccessTokens.read(file).client_of(None) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected at least one token, got none"),
        (b"\n \n", "expected at least one token, got none"),
        (f"{FIRST}\ntoo-short".encode(), "token 2: expected at least 16 visible ASCII characters"),
        (b"with a blank in the middle", "token 1: expected"),
        ("ünsichtbar-und-lang-genug".encode(), "token 1: expected"),
        (b"\xff\xfe" * 20, "expected a file of tokens"),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "tokens"
    file.write_bytes(content)
    with pytest.raises(InputError, match=message) as raised:
        AccessTokens.read(file)
    assert "\n" not in str(raised.value) and "short" not in str(raised.value)
    with pytest.raises(InputError, match="expected a file of tokens"):
        AccessTokens.read(tmp_path / "absent")
