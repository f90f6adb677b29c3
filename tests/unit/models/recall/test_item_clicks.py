"""From items' ids to their clicks."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from models.recall.item_clicks import ItemClicks
from transforms.input_error import InputError

CLICKS = {"a": 3, "b": 0, "ü": 2**40}


def _clicks() -> ItemClicks:
    return ItemClicks(pa.array(CLICKS), np.array(list(CLICKS.values())))


def test_finds_clicks_of_any_shape() -> None:
    found = _clicks().find(tf.constant([["a", "ü"], ["b", "nobody"], ["", "a"]]))
    assert found.dtype == tf.int64
    assert found.numpy().tolist() == [[3, 2**40], [0, 0], [0, 3]]


def test_the_shape_is_known_in_a_graph() -> None:
    find = tf.function(_clicks().find, input_signature=[tf.TensorSpec([None, 7], tf.string)])
    assert find.get_concrete_function().output_shapes.as_list() == [None, 7]


def test_reads_item_stats(tmp_path: Path) -> None:
    for part, (ids, clicks) in enumerate([(["a", "b"], [3, 0]), (["c"], [7])]):
        table = {"item_id": ids, "impressions": [9] * len(ids), "clicks": clicks}
        pq.write_table(pa.table(table), tmp_path / f"item_stats-{part}.parquet")
    found = ItemClicks.read(str(tmp_path)).find(tf.constant(["c", "a", "b", "d"]))
    assert found.numpy().tolist() == [7, 3, 0, 0]


def test_no_item_stats(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected item_stats in .*, got no file"):
        ItemClicks.read(str(tmp_path))


def test_beside_a_transform() -> None:
    raw = {"item_id": tf.sparse.from_dense([["ü"], [""], ["a"]])}
    transform = _clicks().beside(lambda raw: {"item_id_xf": tf.constant([5, 0, 6])})
    found = transform(raw)
    assert found["item_id_xf"].numpy().tolist() == [5, 0, 6]
    assert found["item_clicks"].numpy().tolist() == [2**40, 0, 3]


def test_a_saved_model_carries_them(tmp_path: Path) -> None:
    module = tf.Module()
    module.clicks = _clicks()
    module.find = tf.function(module.clicks.find, input_signature=[tf.TensorSpec([None], tf.string)])
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    assert loaded.find(tf.constant(["a", "b", "x"])).numpy().tolist() == [3, 0, 0]
