"""The embedding table that is gathered from and never read whole."""

import numpy as np
import pytest
import tensorflow as tf

from models.layers.id_embedding import IdEmbedding


def test_gathers_rows() -> None:
    layer = IdEmbedding(4, 2)
    layer.build()
    layer.set_weights([np.array([[0, 1], [10, 11], [20, 21], [30, 31]])])
    np.testing.assert_array_equal(
        layer(np.array([[3, 0], [1, 3]])), [[[30, 31], [0, 1]], [[10, 11], [30, 31]]]
    )


def test_mask_is_false_at_row_0() -> None:
    mask = IdEmbedding(4, 2).compute_mask(tf.constant([[3, 0], [0, 1]]))
    np.testing.assert_array_equal(mask, [[True, False], [False, True]])


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_the_gradient_is_of_the_gathered_rows_alone(policy: str) -> None:
    layer = IdEmbedding(1000, 2, dtype=policy)
    layer.build()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.cast(layer(tf.constant([5, 7, 5])), tf.float32))
    gradient = tape.gradient(loss, layer.table.value)
    assert isinstance(gradient, tf.IndexedSlices)
    np.testing.assert_array_equal(gradient.indices, [5, 7, 5])
    np.testing.assert_array_equal(gradient.values, np.ones((3, 2)))


@pytest.mark.parametrize("rows, embedding_dim", [(0, 4), (4, 0)])
def test_empty_table_is_refused(rows: int, embedding_dim: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        IdEmbedding(rows, embedding_dim)
