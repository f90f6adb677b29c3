"""From ids to numbers."""

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from models.content import id_table
from models.content.id_table import make_id_table


def _find(table: tf.lookup.experimental.MutableHashTable, *ids: str) -> list[int]:
    return table.lookup(tf.constant(ids)).numpy().tolist()


def test_finds_numbers() -> None:
    table = make_id_table(pa.array(["a", "ü"]), np.array([3, 2**40]))
    assert _find(table, "ü", "nobody", "a", "") == [2**40, 0, 3, 0]
    assert _find(make_id_table(pa.array([], pa.string()), np.zeros(0, np.int64)), "a") == [0]


def test_inserts_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(id_table, "_INSERTED_AT_ONCE", 3)
    ids = [f"item {number}" for number in range(10)]
    table = make_id_table(pa.array(ids), np.arange(100, 110))
    assert table.size() == 10
    assert _find(table, *ids) == list(range(100, 110))


def test_a_sliced_array() -> None:
    table = make_id_table(pa.array(["x", "a", "b", "y"]).slice(1, 2), np.array([5, 6]))
    assert _find(table, "x", "a", "b", "y") == [0, 5, 6, 0]
