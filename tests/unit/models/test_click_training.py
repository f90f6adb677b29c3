"""What the trainings of all models that predict a click share."""

import math
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.click_training import fit, measure, predict
from transforms.input_error import InputError


def _model(learning_rate: float = 1e-12) -> keras.Model:
    """A logistic regression on x, 2 x - 1 to begin with; by default it stays what it is."""
    x = keras.Input((), name="x")
    dense = keras.layers.Dense(1)
    model = keras.Model({"x": x}, keras.ops.squeeze(dense(keras.ops.expand_dims(x, -1)), -1))
    dense.set_weights([np.array([[2.0]]), np.array([-1.0])])
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate), loss=keras.losses.BinaryCrossentropy(from_logits=True)
    )
    return model


def _examples(count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=count).astype(np.float32), (rng.random(count) < 0.4).astype(np.float32)


def _dataset(x: np.ndarray, labels: np.ndarray, batch_size: int = 10) -> tf.data.Dataset:
    dataset = tf.data.Dataset.from_tensor_slices(({"x": x}, labels)).batch(batch_size)
    # As a file's: nobody knows its length before its end.
    return dataset.filter(lambda features, label: True)


def _probabilities(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-(2 * x.astype(np.float64) - 1)))


def _losses(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    probabilities = _probabilities(x)
    return -np.log(np.where(labels == 1, probabilities, 1 - probabilities))


def test_fit_goes_through_the_data_in_order() -> None:
    # 50 batches of ten but for the last one of 4. A point every 20 steps and at the end: 200, 400 and 494
    # examples, and again in the second epoch, whose steps 60, 80 and 100 come after 10, 30 and 50 of its own.
    x, labels = _examples(494)
    history = fit(_model(), _dataset(x, labels), epochs=2)
    assert history["examples"] == 988
    assert [point["step"] for point in history["curve"]] == [20, 40, 50, 60, 80, 100]
    assert [point["examples"] for point in history["curve"]] == [200, 400, 494, 594, 794, 988]
    losses = _losses(x, labels)
    parts = [losses[:200], losses[200:400], losses[400:], losses[:100], losses[100:300], losses[300:]]
    np.testing.assert_allclose(
        [point["loss"] for point in history["curve"]], [part.mean() for part in parts], rtol=1e-4
    )
    assert 0 < history["curve"][-1]["seconds"] <= history["seconds"]


def test_fit_learns_and_calls_callbacks() -> None:
    x, _ = _examples(2_000)
    losses: list[float] = []
    recording = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: losses.append(logs["loss"]))
    model = _model(learning_rate=0.05)
    fit(model, _dataset(x, (x < 0).astype(np.float32)), epochs=3, callbacks=[recording])
    assert len(losses) == 3
    assert losses[2] < 0.5 * losses[0]


def test_fit_says_nothing_of_a_length_it_cannot_know() -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        fit(_model(), _dataset(*_examples(30)), epochs=2)
    assert not [warning for warning in said if "ran out of data" in str(warning.message)]


def test_loss_that_is_not_finite_names_the_step() -> None:
    # Row 20 is the first of the third batch of ten.
    x, labels = _examples(50)
    x[20] = math.inf
    with pytest.raises(InputError, match="at step 3;"):
        fit(_model(), _dataset(x, np.zeros_like(labels)), epochs=1)


def test_predict_gives_labels_and_probabilities_in_order() -> None:
    x, labels = _examples(25)
    seen, probabilities = predict(_model(), _dataset(x, labels))
    assert seen.dtype == probabilities.dtype == np.float32
    np.testing.assert_array_equal(seen, labels)
    np.testing.assert_allclose(probabilities, _probabilities(x), rtol=1e-5)


def test_predict_of_nothing_is_nothing() -> None:
    labels, probabilities = predict(_model(), _dataset(*_examples(0)))
    assert labels.shape == probabilities.shape == (0,)


def test_measure() -> None:
    # The model's order is that of x. Of the clicked, 3 and 0, and the others, 1 and -1, three of the four pairs
    # are in order.
    x, labels = np.array([3, 1, 0, -1], np.float32), np.array([1, 0, 1, 0], np.float32)
    measured = measure(_model(), _dataset(x, labels, batch_size=3))
    assert measured["auc"] == 0.75
    assert measured["logloss"] == pytest.approx(_losses(x, labels).mean(), rel=1e-5)


def test_measure_of_one_class_has_no_auc() -> None:
    x, _ = _examples(20)
    measured = measure(_model(), _dataset(x, np.zeros(20, np.float32)))
    assert measured["auc"] is None
    assert measured["logloss"] == pytest.approx(_losses(x, np.zeros(20)).mean(), rel=1e-5)


def test_measure_of_nothing_is_undefined() -> None:
    assert measure(_model(), _dataset(*_examples(0))) == {"auc": None, "logloss": None}
