"""Files listed and opened, and what counts as being there."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.parquet_files import is_there, list_files, open_parquet


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, values in (("b.parquet", [3]), ("a.parquet", [1, 2])):
        pq.write_table(pa.table({"number": values}), tmp_path / name)
    (tmp_path / "counts.json").write_text("{}")
    return tmp_path


def test_lists_parquet_files_alone_in_order(folder: Path) -> None:
    assert list_files(str(folder)) == [f"{folder}/a.parquet", f"{folder}/b.parquet"]
    assert list_files(f"file://{folder}") == [f"file://{folder}/a.parquet", f"file://{folder}/b.parquet"]
    assert list_files(f"{folder}/none") == []


def test_opens_absolute_and_relative_paths_and_uris(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for name in (f"{folder}/a.parquet", "a.parquet", f"file://{folder}/a.parquet"):
        with open_parquet(name) as stream:
            assert stream.read()["number"].to_pylist() == [1, 2]


@pytest.mark.parametrize(
    "values, type_, expected",
    [
        (["title", "  \t", "", None, " a "], pa.string(), [True, False, False, False, True]),
        # Bytes are taken as they are: a blank is one of them.
        ([b"\xff", b" ", b"", None], pa.binary(), [True, True, False, False]),
    ],
)
def test_what_is_there(values: list, type_: pa.DataType, expected: list[bool]) -> None:
    assert is_there(pa.array(values, type_)).to_pylist() == expected
