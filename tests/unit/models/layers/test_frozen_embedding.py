"""A table that training reads and never changes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.layers.frozen_embedding import FrozenEmbedding

VECTORS = np.array([[0, 0], [0.6, 0.8], [1 / 3, -0.1]], np.float32)


def _table(dtype: str | None = None) -> FrozenEmbedding:
    layer = FrozenEmbedding(3, 2, dtype=dtype)
    layer.build()
    layer.set_weights([VECTORS])
    return layer


def test_gathers_rows() -> None:
    ids = np.array([[2, 0, 1], [1, 1, 0]])
    np.testing.assert_array_equal(_table()(ids), VECTORS[ids])


def test_begins_with_zeros() -> None:
    np.testing.assert_array_equal(FrozenEmbedding(4, 3)(np.arange(4)), np.zeros((4, 3)))


def test_mask_says_which_items_have_an_embedding() -> None:
    mask = _table().compute_mask(tf.constant([[2, 0], [0, 1]]))
    np.testing.assert_array_equal(mask, [[True, False], [False, True]])


def test_is_not_trainable() -> None:
    layer = _table()
    assert layer.trainable_variables == []
    assert [variable.shape for variable in layer.non_trainable_variables] == [(3, 2)]


def test_no_gradient_reaches_the_table() -> None:
    layer = _table()
    table = layer.table.value
    with tf.GradientTape() as tape:
        tape.watch(table)
        total = tf.reduce_sum(layer(tf.constant([1, 2])) ** 2)
    assert tape.gradient(total, table) is None


def test_training_leaves_it_as_it_is() -> None:
    layer = _table()
    ids = keras.Input((), dtype="int32")
    model = keras.Model(ids, keras.layers.Dense(1)(layer(ids)))
    before = model.layers[-1].get_weights()[0]
    # Weight decay and momentum would move whatever the optimizer is handed.
    model.compile(keras.optimizers.AdamW(0.1, weight_decay=0.5), "mse", jit_compile=False)
    model.fit(np.array([1, 2, 1]), np.array([1.0, 5.0, 2.0]), epochs=2, verbose=0)
    np.testing.assert_array_equal(layer.get_weights()[0], VECTORS)
    assert not np.array_equal(model.layers[-1].get_weights()[0], before)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_stays_float32_in_mixed_precision(policy: str) -> None:
    layer = _table(policy)
    gathered = layer(np.array([1, 2]))
    assert gathered.dtype == tf.float32
    assert layer.table.dtype == "float32"
    # 1/3 and 0.8 are not the same in fewer bits.
    np.testing.assert_array_equal(gathered, VECTORS[1:])


@pytest.mark.parametrize("rows, dim", [(0, 2), (3, 0)])
def test_needs_a_size(rows: int, dim: int) -> None:
    with pytest.raises(ValueError, match=f"rows and embedding_dim must be at least 1, got {rows} and {dim}"):
        FrozenEmbedding(rows, dim)
