"""Row-wise Adagrad against a loop over rows, and the dense half against Keras's Adam."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.layers.id_embedding import IdEmbedding
from models.optimizers.rowwise_adagrad import RowwiseAdagrad


def make_table(rows: int, dim: int) -> IdEmbedding:
    table = IdEmbedding(rows, dim)
    table.build()
    return table


def test_rows_equal_dense_adagrad_on_the_summed_gradient():
    rng = np.random.default_rng(5)
    table = make_table(6, 2)
    expected = np.asarray(table.table).copy()
    sums = np.full_like(expected, 0.01)
    optimizer = RowwiseAdagrad(table_learning_rate=0.5, initial_accumulator_value=0.01)
    for _ in range(4):
        indices = rng.integers(0, 6, 5)
        values = rng.normal(size=(5, 2)).astype("float32")
        optimizer.apply([tf.IndexedSlices(values, indices, (6, 2))], [table.table])
        gradient = np.zeros_like(expected)
        for index, value in zip(indices, values, strict=True):
            gradient[index] += value
        sums += gradient**2
        expected -= 0.5 * gradient / np.sqrt(sums)
    np.testing.assert_allclose(table.table, expected, rtol=1e-5, atol=1e-6)


def test_one_step_by_hand():
    # Row 1 stands twice with gradients 1 and 2, so its gradient is 3 and its sum 16 + 9 = 25: it moves by
    # 0.5 * 3 / 5 = 0.3. Row 0 is not touched.
    table = make_table(2, 1)
    table.table.assign([[1.0], [1.0]])
    optimizer = RowwiseAdagrad(table_learning_rate=0.5, initial_accumulator_value=16.0)
    gradient = tf.IndexedSlices(tf.constant([[1.0], [2.0]]), tf.constant([1, 1]), (2, 1))
    optimizer.apply([gradient], [table.table])
    np.testing.assert_allclose(table.table, [[1.0], [0.7]], rtol=1e-6)


def test_dense_variables_get_adam():
    rng = np.random.default_rng(6)
    start = rng.normal(size=(3, 2)).astype("float32")
    ours, theirs = keras.Variable(start), keras.Variable(start)
    optimizer, adam = RowwiseAdagrad(learning_rate=0.01), keras.optimizers.Adam(0.01)
    for _ in range(5):
        gradient = tf.constant(rng.normal(size=(3, 2)).astype("float32"))
        optimizer.apply([gradient], [ours])
        adam.apply([gradient], [theirs])
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_a_dense_gradient_of_a_table_is_an_error():
    table = make_table(3, 2)
    with pytest.raises(TypeError, match="IndexedSlices"):
        RowwiseAdagrad().apply([tf.zeros((3, 2))], [table.table])


def test_clipping_uses_the_norm_of_the_summed_rows():
    # The row's gradient is 3 + 0, the dense one 4: norm 5, so clipped to 1 both shrink to a fifth, 0.6 and 0.8.
    # With accumulators from 0.64 the row moves by 1 * 0.6 / sqrt(0.64 + 0.36) = 0.6.
    table, dense = make_table(2, 1), keras.Variable([0.0])
    table.table.assign([[0.0], [0.0]])
    optimizer = RowwiseAdagrad(
        learning_rate=0.1, table_learning_rate=1.0, initial_accumulator_value=0.64, global_clipnorm=1.0
    )
    rows = tf.IndexedSlices(tf.constant([[1.0], [2.0]]), tf.constant([1, 1]), tf.constant([2, 1]))
    optimizer.apply([rows, tf.constant([4.0])], [table.table, dense])
    np.testing.assert_allclose(table.table, [[0.0], [-0.6]], rtol=1e-5)


def test_schedules_are_followed():
    table = make_table(1, 1)
    table.table.assign([[0.0]])
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([0], [1.0, 0.0])
    optimizer = RowwiseAdagrad(table_learning_rate=schedule)
    for _ in range(2):
        optimizer.apply([tf.IndexedSlices(tf.constant([[1.0]]), tf.constant([0]), (1, 1))], [table.table])
    # The first step moves by 1 / sqrt(1 + tiny) = 1, the second by nothing.
    np.testing.assert_allclose(table.table, [[-1.0]], rtol=1e-4)


def test_config_round_trip():
    optimizer = RowwiseAdagrad(0.1, 0.2, initial_accumulator_value=0.3, beta_1=0.8, global_clipnorm=2.0)
    copy = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert isinstance(copy, RowwiseAdagrad)
    assert copy.get_config() == pytest.approx(optimizer.get_config())


def test_fit_does_not_touch_other_rows():
    keras.utils.set_random_seed(0)
    ids = keras.Input((), dtype="int64")
    table = IdEmbedding(1000, 4)
    model = keras.Model(ids, keras.layers.Dense(1)(table(ids)))
    before = np.asarray(table.table).copy()
    model.compile(RowwiseAdagrad(), "mse", jit_compile=False)
    model.fit(np.array([3, 5, 3]), np.ones(3), epochs=2, verbose=0)
    changed = np.flatnonzero((np.asarray(table.table) != before).any(axis=1))
    np.testing.assert_array_equal(changed, [3, 5])
