"""How a batch is shared out."""

import numpy as np
import pytest
import tensorflow as tf

from models.distribution.batch_parts import share_out, take_part
from models.distribution.strategy import open_strategy


@pytest.mark.parametrize(
    "rows, sizes", [(8, [2, 2, 2, 2]), (7, [1, 2, 2, 2]), (3, [0, 1, 1, 1]), (1, [0, 0, 0, 1]), (0, [0] * 4)]
)
def test_parts_are_the_batch_in_order(rows: int, sizes: list[int]) -> None:
    # Of 7 rows the parts begin at 0, 7 * 1 // 4 = 1, 14 // 4 = 3 and 21 // 4 = 5.
    batch = {"x": tf.range(rows), "y": tf.reshape(tf.range(2 * rows), [rows, 2])}
    parts = [take_part(batch, tf.constant(number, tf.int64), 4) for number in range(4)]
    assert [part["x"].shape[0] for part in parts] == sizes
    for name, values in batch.items():
        np.testing.assert_array_equal(np.concatenate([part[name] for part in parts]), values)


def test_each_tensor_is_parted_by_its_own_rows() -> None:
    batch = (({"x": tf.range(4)}, {"earlier": tf.range(6)}),)
    ((features, earlier),) = take_part(batch, tf.constant(1, tf.int64), 2)
    assert features["x"].numpy().tolist() == [2, 3]
    assert earlier["earlier"].numpy().tolist() == [3, 4, 5]


def test_one_replica_has_all() -> None:
    batches = tf.data.Dataset.from_tensor_slices(({"x": np.arange(7)}, np.arange(7))).batch(3)
    shared = share_out(batches, open_strategy("none"))
    for _ in range(2):
        seen = [(features["x"].numpy().tolist(), labels.numpy().tolist()) for features, labels in shared]
        assert seen == [([0, 1, 2], [0, 1, 2]), ([3, 4, 5], [3, 4, 5]), ([6], [6])]
