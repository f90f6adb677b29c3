import argparse
from pathlib import Path

import pytest

from serving.store_address import store_address

SECRET = "redis://adlens:opensesame@redis:6379/0"


@pytest.mark.parametrize("text", ["redis://redis:6379/0", "some/folder", "/queue.db", ""])
def test_address_stays_as_it_is(text: str) -> None:
    assert store_address(text) == text


@pytest.mark.parametrize("end", ["", "\n", "\r\n", " \n"])
def test_file_holds_the_address(tmp_path: Path, end: str) -> None:
    (tmp_path / "url").write_bytes((SECRET + end).encode())
    assert store_address(f"@{tmp_path / 'url'}") == SECRET


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", f"{SECRET}\n{SECRET}\n".encode(), b"\xffopensesame", b"opensesame" * 1_000],
)
def test_other_content_is_refused_and_not_shown(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "url").write_bytes(content)
    with pytest.raises(argparse.ArgumentTypeError, match=f"expected .* in {tmp_path}/url") as caught:
        store_address(f"@{tmp_path / 'url'}")
    assert "opensesame" not in str(caught.value)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="url: No such file or directory"):
        store_address(f"@{tmp_path}/url")


def test_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="Is a directory"):
        store_address(f"@{tmp_path}")
