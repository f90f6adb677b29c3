"""A few items' rows out of several files."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.inspector.item_rows import read_item_rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Items 0 to 29 in three files of row groups of four."""
    for start in (0, 10, 20):
        items = range(start, start + 10)
        table = pa.table(
            {
                "item_id": [f"i{item}" for item in items],
                "title": [f"title {item}" if item % 7 else None for item in items],
                "image": [bytes([item]) for item in items],
            }
        )
        pq.write_table(table, tmp_path / f"items-{start}.parquet", row_group_size=4)
    return tmp_path


def test_only_the_items_asked_for(folder: Path) -> None:
    found = read_item_rows(str(folder), {"i3", "i14", "i29", "i28", "unknown"}, ("title", "image"))
    assert found == {
        "i3": {"title": "title 3", "image": b"\x03"},
        "i14": {"title": None, "image": b"\x0e"},
        "i28": {"title": None, "image": b"\x1c"},
        "i29": {"title": "title 29", "image": b"\x1d"},
    }
    assert read_item_rows(str(folder), set(), ("title",)) == {}
    assert read_item_rows(str(folder), {"i0"}, ("image",)) == {"i0": {"image": b"\x00"}}


def test_row_groups_without_an_item_stay_closed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    def remember(self, *args, **kwargs):
        opened.append(kwargs["row_groups"])
        return iterate(self, *args, **kwargs)

    iterate = pq.ParquetFile.iter_batches
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", remember)
    # Both stand in the second file: i15 in its second row group (i14 to i17), i18 in its third.
    assert set(read_item_rows(str(folder), {"i15", "i18"}, ("image",))) == {"i15", "i18"}
    assert opened == [[1], [2]]
