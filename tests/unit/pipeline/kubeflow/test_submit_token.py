"""The token that `adlens submit` shows."""

from pathlib import Path

import pytest

from pipeline.kubeflow.submit_token import VARIABLE, SubmitToken
from transforms.input_error import InputError


def test_of_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert not SubmitToken(None).given
    monkeypatch.setenv(VARIABLE, "abc")
    assert SubmitToken(None).given
    assert SubmitToken(None).read() == "abc"


def test_of_a_file_which_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "abc")
    (tmp_path / "token").write_text("def\n")
    assert SubmitToken(tmp_path / "token").read() == "def"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file or directory"),
        (b" \n", "is empty"),
        (b"\xff", "holds no text"),
        (b"abc\nHost: elsewhere", "must hold one token of printable ASCII"),
        ("häh".encode(), "must hold one token of printable ASCII"),
    ],
)
def test_of_a_file_that_has_none(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        SubmitToken(path).read()
    assert str(caught.value) == f"token file {path} {message}"
