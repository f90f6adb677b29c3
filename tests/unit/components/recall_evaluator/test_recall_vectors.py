from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from components.recall_evaluator.recall_vectors import RecallVectors


@pytest.mark.parametrize("clicks", [3, 0])
def test_what_is_read_is_what_was_written(tmp_path: Path, clicks: int) -> None:
    rng = np.random.default_rng(0)
    items, users = (rng.normal(size=(count, 6)).astype(np.float32) for count in (5, clicks))
    clicked = np.array([4, 0, 2], np.int64)[:clicks]
    written = RecallVectors(pa.array(["a", "ä b", "", "d", "e"]), items, users, clicked)
    written.write(str(tmp_path / "vectors"))
    read = RecallVectors.read(str(tmp_path / "vectors"))
    assert read.item_ids.to_pylist() == ["a", "ä b", "", "d", "e"]
    for name in ("items", "users", "clicked"):
        np.testing.assert_array_equal(getattr(read, name), getattr(written, name))
    assert (read.items.dtype, read.users.shape, read.clicked.dtype) == (np.float32, (clicks, 6), np.int64)


def test_more_rows_than_are_written_at_once(tmp_path: Path) -> None:
    items = np.arange(2 * 70_000, dtype=np.float32).reshape(70_000, 2)
    ids = pa.array([str(number) for number in range(70_000)])
    RecallVectors(ids, items, items[:1], np.array([69_999])).write(str(tmp_path))
    read = RecallVectors.read(str(tmp_path))
    np.testing.assert_array_equal(read.items, items)
    assert read.item_ids[69_999].as_py() == "69999" and read.clicked.tolist() == [69_999]
