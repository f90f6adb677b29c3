"""Training of the click-through-rate model."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from models.ctr.config import CtrConfig
from models.ctr.trainer import compile_for_training, train
from models.training_curve import TrainingCurve
from transforms.input_error import InputError

SIZES = {"integration": "id", "embedding_dim": 4, "attention_units": (6,), "mlp_units": (8,)}


def _dataset(inputs: dict, labels: np.ndarray, batch_size: int) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices((inputs, labels.astype(np.float32))).batch(batch_size)


def test_learns_what_ids_and_behaviors_tell(make_model: Callable, make_inputs: Callable) -> None:
    # Whether a click happens is decided by the category and by whether it stands among the behaviors'.
    config = CtrConfig(**SIZES, learning_rate=0.01, table_learning_rate=0.1, epochs=3)
    inputs = make_inputs(6_000)
    among = (inputs["behavior_category_id_xf"] == inputs["category_id_xf"][:, None]).any(1)
    labels = among ^ (inputs["category_id_xf"] % 2 == 0)
    test = make_inputs(2_000, seed=1)
    test_among = (test["behavior_category_id_xf"] == test["category_id_xf"][:, None]).any(1)
    test_labels = test_among ^ (test["category_id_xf"] % 2 == 0)
    model = make_model(config)
    history = train(model, _dataset(inputs, labels, 64), config, _dataset(test, test_labels, 64))
    assert history["examples"] == 18_000
    assert history["curve"][-1]["loss"] < 0.5 * history["curve"][0]["loss"]
    assert history["eval"]["auc"] > 0.95
    assert history["eval"]["logloss"] < 0.35


def test_the_same_seed_gives_the_same_model(make_model: Callable, make_inputs: Callable) -> None:
    config = CtrConfig(**SIZES)
    inputs, labels = make_inputs(512), np.arange(512) % 3 == 0
    runs = []
    for _ in range(2):
        model = make_model(config)
        train(model, _dataset(inputs, labels, 64), config)
        runs.append(model.get_weights())
    assert all(np.array_equal(a, b) for a, b in zip(*runs, strict=True))


def test_mixed_precision_trains(make_model: Callable, make_inputs: Callable) -> None:
    inputs = make_inputs(1_000)
    labels = inputs["category_id_xf"] % 2 == 0
    losses = []
    for mixed_precision in (False, True):
        config = CtrConfig(**SIZES, table_learning_rate=0.1, epochs=3, mixed_precision=mixed_precision)
        model = make_model(config)
        losses.append(train(model, _dataset(inputs, labels, 50), config)["curve"][-1]["loss"])
    assert losses[1] == pytest.approx(losses[0], abs=0.05)


def test_a_step_never_reads_or_writes_a_whole_table(make_model: Callable, make_inputs: Callable) -> None:
    config = CtrConfig(**SIZES)
    model = make_model(config)
    compile_for_training(model, config)
    features, labels = make_inputs(8), np.ones(8, np.float32)
    model.fit(_dataset(features, labels, 8), verbose=0)
    graph = tf.function(model.train_step).get_concrete_function((features, labels)).graph
    accumulators = [slots[0] for slots in model.optimizer._slots if len(slots) == 1]
    tables = {id(v.value.handle) for v in (*(t.table for t in model.tables.values()), *accumulators)}
    handles = {inner.name for outer, inner in graph.captures if id(outer) in tables}
    users = {op.type for op in graph.get_operations() for tensor in op.inputs if tensor.name in handles}
    assert len(handles) == 2 * len(model.tables)
    assert users == {"ResourceGather", "ResourceScatterUpdate"}


def test_loss_that_is_not_finite_names_the_step(make_model: Callable, make_inputs: Callable) -> None:
    # Rows 20 and on make the third batch of ten.
    config = CtrConfig(**SIZES)
    inputs = make_inputs(50)
    inputs["price_xf"][20] = math.inf
    with pytest.raises(InputError, match="at step 3;"):
        train(make_model(config), _dataset(inputs, np.ones(50), 10), config)


def test_curve_is_the_mean_loss_between_points(make_model: Callable, make_inputs: Callable) -> None:
    # Learning rates of next to nothing leave the model as it is, so each batch's loss is known beforehand.
    # Five batches of 10, 10, 10, 10 and 4, a point at every second and at the end: 20, 40 and 44 examples.
    config = CtrConfig(**SIZES, learning_rate=1e-12, table_learning_rate=1e-12)
    model, inputs = make_model(config, randomize=True), make_inputs(44)
    labels = np.arange(44) % 2
    probabilities = 1 / (1 + np.exp(-np.array(model(inputs), np.float64)))
    losses = -np.log(np.where(labels == 1, probabilities, 1 - probabilities))
    compile_for_training(model, config)
    curve = TrainingCurve(every_steps=2)
    model.fit(_dataset(inputs, labels, 10), epochs=2, verbose=0, shuffle=False, callbacks=[curve])
    assert [point["step"] for point in curve.points] == [2, 4, 5, 6, 8, 10]
    assert [point["examples"] for point in curve.points] == [20, 40, 44, 54, 74, 88]
    means = [losses[0:20], losses[20:40], losses[40:44], losses[0:10], losses[10:30], losses[30:44]]
    np.testing.assert_allclose(
        [point["loss"] for point in curve.points], [m.mean() for m in means], rtol=1e-4
    )
    seconds = [point["seconds"] for point in curve.points]
    assert seconds == sorted(seconds)


def test_progress_goes_to_stderr(
    make_model: Callable, make_inputs: Callable, capsys: pytest.CaptureFixture
) -> None:
    config = CtrConfig(**SIZES)
    model = make_model(config)
    compile_for_training(model, config)
    curve = TrainingCurve(every_steps=1, show_seconds=0.0)
    model.fit(_dataset(make_inputs(20), np.ones(20), 10), verbose=0, callbacks=[curve])
    captured = capsys.readouterr()
    assert "step 2, 20 examples, loss" in captured.err
    assert captured.out == ""
