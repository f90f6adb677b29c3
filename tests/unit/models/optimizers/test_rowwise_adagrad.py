"""Adagrad by touched rows for tables, Adam for the rest."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.layers.id_embedding import IdEmbedding
from models.optimizers.rowwise_adagrad import RowwiseAdagrad


def _table(values: np.ndarray) -> keras.Variable:
    layer = IdEmbedding(*values.shape)
    layer.build()
    layer.set_weights([values])
    return layer.table


def _slices(rows: list[int], values: list, shape: tuple[int, int]) -> tf.IndexedSlices:
    return tf.IndexedSlices(
        tf.constant(values, tf.float32), tf.constant(rows, tf.int64), dense_shape=tf.constant(shape)
    )


def test_by_hand() -> None:
    # Row 1 is touched twice, with 1 and 2: gradient 3. Its sum of squares: 7 + 9 = 16, step 0.5 * 3 / 4 =
    # 0.375. Row 3: gradient -5, 7 + 25 = 32. The next batch touches row 1 with 3: 16 + 9 = 25, step 0.5 * 3 /
    # 5 = 0.3.
    table = _table(np.ones((4, 1)))
    optimizer = RowwiseAdagrad(table_learning_rate=0.5, initial_accumulator_value=7.0)
    optimizer.apply_gradients([(_slices([1, 3, 1], [[1], [-5], [2]], (4, 1)), table)])
    after_row_3 = 1 + 0.5 * 5 / 32**0.5
    np.testing.assert_allclose(table.numpy()[:, 0], [1, 0.625, 1, after_row_3], rtol=1e-6)
    optimizer.apply_gradients([(_slices([1], [[3]], (4, 1)), table)])
    np.testing.assert_allclose(table.numpy()[:, 0], [1, 0.325, 1, after_row_3], rtol=1e-6)


def test_equals_dense_adagrad_on_the_summed_gradient() -> None:
    rng = np.random.default_rng(0)
    expected = rng.normal(size=(20, 3))
    sums = np.full((20, 3), 0.1)
    table = _table(expected)
    optimizer = RowwiseAdagrad(table_learning_rate=0.3, initial_accumulator_value=0.1)
    for _ in range(5):
        rows = rng.integers(0, 20, 50)
        values = rng.normal(size=(50, 3))
        dense = np.zeros((20, 3))
        for row, value in zip(rows, values, strict=True):
            dense[row] += value
        sums += dense**2
        expected = expected - 0.3 * dense / np.sqrt(sums)
        optimizer.apply_gradients([(_slices(rows.tolist(), values.tolist(), (20, 3)), table)])
    np.testing.assert_allclose(table.numpy(), expected, rtol=1e-4, atol=1e-5)


def test_dense_variables_get_adam() -> None:
    rng = np.random.default_rng(0)
    start = rng.normal(size=(4, 3))
    ours, theirs = keras.Variable(start), keras.Variable(start)
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=2, decay_rate=0.5)
    optimizer, adam = RowwiseAdagrad(schedule), keras.optimizers.Adam(schedule)
    for _ in range(6):
        gradient = tf.constant(rng.normal(size=(4, 3)), tf.float32)
        optimizer.apply_gradients([(gradient, ours)])
        adam.apply_gradients([(gradient, theirs)])
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-5, atol=1e-6)


def test_dense_variables_take_sparse_gradients_of_other_layers() -> None:
    variable = keras.Variable(np.ones((3, 1)))
    RowwiseAdagrad(0.1).apply_gradients([(_slices([1, 1], [[1], [1]], (3, 1)), variable)])
    # Adam's first step is the learning rate against the sign of the gradient, and 0 where that is 0.
    np.testing.assert_allclose(variable.numpy()[:, 0], [1, 0.9, 1], rtol=1e-5)


def test_table_learning_rate_follows_its_schedule() -> None:
    # Steps 0 and 1 at 1.0, then 0.1. Gradient 3 on 7: 3 / sqrt(16); on 16: 3 / sqrt(25); on 25: 0.1 * 3 /
    # sqrt(34).
    table = _table(np.zeros((1, 1)))
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([1], [1.0, 0.1])
    optimizer = RowwiseAdagrad(table_learning_rate=schedule, initial_accumulator_value=7.0)
    seen = []
    for _ in range(3):
        optimizer.apply_gradients([(_slices([0], [[3]], (1, 1)), table)])
        seen.append(table.numpy()[0, 0])
    np.testing.assert_allclose(seen, [-0.75, -1.35, -1.35 - 0.3 / 34**0.5], rtol=1e-6)


def test_global_clipnorm_sums_duplicates_before_squaring() -> None:
    # Row 0 twice with 3: 6. Row 1 with 8. Norm sqrt(36 + 64) = 10, so at 5 both halve: 3 and 4.
    # 16 + 9 = 25, step 3 / 5. 16 + 16 = 32, step 4 / sqrt(32).
    table = _table(np.zeros((2, 1)))
    optimizer = RowwiseAdagrad(table_learning_rate=1.0, initial_accumulator_value=16.0, global_clipnorm=5.0)
    optimizer.apply_gradients([(_slices([0, 1, 0], [[3], [8], [3]], (2, 1)), table)])
    np.testing.assert_allclose(table.numpy()[:, 0], [-0.6, -4 / 32**0.5], rtol=1e-5)


def test_tables_have_one_accumulator_and_nothing_else() -> None:
    table, dense = _table(np.zeros((5, 2))), keras.Variable(np.zeros((7, 3)))
    optimizer = RowwiseAdagrad()
    optimizer.build([table, dense])
    shapes = sorted(tuple(variable.shape) for variable in optimizer.variables)
    # The iteration, the learning rate, one accumulator, two moments.
    assert shapes == [(), (), (5, 2), (7, 3), (7, 3)]


def test_dense_gradient_of_a_table_is_refused() -> None:
    with pytest.raises(TypeError, match="IndexedSlices"):
        RowwiseAdagrad().apply_gradients([(tf.zeros((5, 2)), _table(np.zeros((5, 2))))])


def test_accumulator_must_not_begin_at_zero() -> None:
    with pytest.raises(ValueError, match="above 0"):
        RowwiseAdagrad(initial_accumulator_value=0.0)


def _model(dtype: str = "float32") -> keras.Model:
    keras.utils.set_random_seed(0)
    ids = keras.Input((3,), dtype="int64")
    hidden = keras.layers.GlobalAveragePooling1D(dtype=dtype)(IdEmbedding(10, 4, dtype=dtype)(ids))
    model = keras.Model(ids, keras.layers.Dense(1, dtype=dtype)(hidden))
    model.dtype_policy = keras.dtype_policies.get(dtype)
    model.compile(RowwiseAdagrad(0.01, 0.1), loss="mse")
    return model


IDS = np.random.default_rng(0).integers(1, 10, (32, 3))
TARGETS = IDS.mean(1, keepdims=True).astype(np.float32) / 10


def test_saved_state_continues_the_training(tmp_path: Path) -> None:
    model = _model()
    model.fit(IDS, TARGETS, batch_size=32, epochs=3, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    for each in (model, loaded):
        each.fit(IDS, TARGETS, batch_size=32, epochs=2, verbose=0)
    for ours, theirs in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=1e-6)


def test_config_round_trip_with_schedules() -> None:
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    optimizer = RowwiseAdagrad(schedule, table_learning_rate=schedule, global_clipnorm=2.0)
    copy = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert copy.get_config() == optimizer.get_config()
    assert float(copy.table_learning_rate(10)) == pytest.approx(0.05)


def test_loss_scaling_of_float16_does_not_change_the_steps() -> None:
    full, half = _model(), _model("mixed_float16")
    assert isinstance(half.optimizer, keras.optimizers.LossScaleOptimizer)
    for model in (full, half):
        model.fit(IDS, TARGETS, batch_size=32, epochs=5, verbose=0)
    for ours, theirs in zip(full.get_weights(), half.get_weights(), strict=True):
        np.testing.assert_allclose(theirs, ours, atol=0.02)
