import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.report import files
from transforms.input_error import InputError


def test_write_replaces_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "new" / "report.html"
    files.write_text(str(path), "first, longer")
    files.write_text(str(path), "zweite — ü")
    assert path.read_text(encoding="utf-8") == "zweite — ü"
    assert [entry.name for entry in path.parent.iterdir()] == ["report.html"]


def test_failed_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "report.html"
    files.write_text(str(path), "old")
    with pytest.raises(UnicodeEncodeError):
        files.write_text(str(path), "a lone surrogate \ud800 is no UTF-8")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def test_uri_and_path_are_the_same_file(tmp_path):
    files.write_text(f"file://{tmp_path}/a.json", '{"a": 1}')
    assert files.read_json(str(tmp_path / "a.json")) == {"a": 1}
    assert files.exists(f"file://{tmp_path}/a.json")
    assert not files.exists(str(tmp_path / "b.json"))


def test_missing_and_broken_json_are_named(tmp_path):
    with pytest.raises(InputError, match=r"a\.json, found none"):
        files.read_json(str(tmp_path / "a.json"))
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(InputError, match=r"expected JSON in .*a\.json"):
        files.read_json(str(tmp_path / "a.json"))


def test_batches_of_nested_parquet_only(tmp_path):
    (tmp_path / "b").mkdir()
    pq.write_table(pa.table({"n": [1, 2], "m": ["x", "y"]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"n": [3], "m": ["z"]}), tmp_path / "b" / "c.parquet")
    (tmp_path / "counts.json").write_text("{}")
    batches = list(files.read_batches(str(tmp_path), ["n"]))
    assert [batch.to_pydict() for batch in batches] == [{"n": [1, 2]}, {"n": [3]}]


def test_no_folder_has_no_batches(tmp_path):
    assert list(files.read_batches(str(tmp_path / "none"), ["n"])) == []
