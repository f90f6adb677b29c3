"""The loop that takes the place of `fit`; with several replicas it is tried in tests/integration."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.click_training import click_losses, fit
from models.continuation.fit_passes import FitPasses
from models.distribution.replicated_fit import replicated_fit
from models.distribution.strategy import open_strategy
from models.layers.id_embedding import IdEmbedding
from models.optimizers.rowwise_adagrad import RowwiseAdagrad
from transforms.input_error import InputError

EXAMPLES = 34


def _model() -> keras.Model:
    keras.utils.set_random_seed(3)
    ids = keras.Input((), dtype="int64", name="id")
    hidden = keras.layers.Dense(3, activation="relu")(IdEmbedding(12, 4)(ids))
    model = keras.Model({"id": ids}, keras.layers.Dense(1)(hidden)[:, 0])
    model.compile(
        RowwiseAdagrad(0.05, 0.3), loss=keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False
    )
    return model


def _batches(scale: float = 1.0) -> tf.data.Dataset:
    rng = np.random.default_rng(0)
    ids, labels = rng.integers(0, 9, EXAMPLES), scale * rng.integers(0, 2, EXAMPLES)
    dataset = tf.data.Dataset.from_tensor_slices(({"id": ids}, labels.astype(np.float32))).batch(5)
    return dataset.filter(lambda features, label: True)


def _state(model: keras.Model) -> list[np.ndarray]:
    return [variable.numpy() for variable in (*model.variables, *model.optimizer.variables)]


def test_equals_fit() -> None:
    # 7 batches, the last with 4 examples; "mirrored" has as many replicas as the tests' process has devices.
    plain, replicated = _model(), _model()
    expected = fit(plain, _batches(), epochs=2)
    history = fit(replicated, _batches(), epochs=2, strategy="mirrored")
    assert [point["step"] for point in history["curve"]] == [7, 14]
    assert history["examples"] == expected["examples"] == 2 * EXAMPLES
    losses = [[point["loss"] for point in each["curve"]] for each in (history, expected)]
    np.testing.assert_allclose(*losses, rtol=1e-5)
    for ours, theirs in zip(_state(replicated), _state(plain), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_nothing_of_the_strategy_stays_with_the_model() -> None:
    model = _model()
    fit(model, _batches(), epochs=1, strategy="mirrored")
    for variable in (*model.variables, *model.optimizer.variables):
        assert not isinstance(variable.value, tf.distribute.DistributedValues)
    assert model.distribute_strategy is open_strategy("none")


def test_goes_on_from_the_optimizer_that_is_there() -> None:
    whole, parts = _model(), _model()
    fit(whole, _batches(), epochs=2, strategy="mirrored")
    for _ in range(2):
        fit(parts, _batches(), epochs=1, strategy="mirrored")
    assert int(parts.optimizer.iterations) == 14
    for ours, theirs in zip(_state(parts), _state(whole), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-7)


def test_callbacks_see_the_epochs_end() -> None:
    seen: list[tuple[int, float, int, list[np.ndarray]]] = []
    model, alone = _model(), _model()

    def see(epoch: int, logs: dict) -> None:
        seen.append((epoch, logs["loss"], int(model.optimizer.iterations), model.get_weights()))

    seeing = keras.callbacks.LambdaCallback(on_epoch_end=see)
    passes = [FitPasses(range(2), _batches())]
    replicated_fit(model, passes, click_losses, [seeing], open_strategy("mirrored"))
    expected = fit(alone, _batches(), epochs=1)["curve"][0]["loss"]
    (epoch, loss, steps, weights), (*_, last_steps, last_weights) = seen
    assert (epoch, steps, last_steps) == (0, 7, 14)
    assert loss == pytest.approx(expected, rel=1e-5)
    for ours, theirs in zip(weights, alone.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    assert all(np.array_equal(*pair) for pair in zip(last_weights, model.get_weights(), strict=True))


def test_a_callback_may_stop_it() -> None:
    model = _model()

    def stop(epoch: int, logs: dict) -> None:
        model.stop_training = epoch == 1

    stopping = keras.callbacks.LambdaCallback(on_epoch_end=stop)
    assert fit(model, _batches(), 5, [stopping], "mirrored")["examples"] == 2 * EXAMPLES


def test_a_loss_that_is_not_finite_stops_it() -> None:
    with pytest.raises(InputError, match="at step 1;"):
        fit(_model(), _batches(scale=np.inf), epochs=1, strategy="mirrored")


def test_step_count_of_fit_is_the_number_of_steps() -> None:
    # Keras itself counts one more at the end of a data set whose length it does not know.
    model = _model()
    fit(model, _batches(), epochs=3)
    assert int(model.optimizer.iterations) == 21
