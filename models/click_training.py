"""What the trainings of all models that predict a click share."""

import math
import time
import warnings
from collections.abc import Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from models.distribution.lost_worker import lost_worker_as_input_error
from models.distribution.replicated_fit import ExampleLosses, replicated_fit
from models.distribution.strategy import open_strategy
from models.metrics.auc import auc
from models.metrics.logloss import logloss
from models.training_curve import TrainingCurve


def click_losses(model: keras.Model, batch: tuple[Mapping[str, tf.Tensor], tf.Tensor]) -> tf.Tensor:
    """float32 `[batch]`, the loss of each example of (features by name, label `[batch]`)."""
    features, label = batch
    return tf.nn.sigmoid_cross_entropy_with_logits(label, model(features, training=True))


def fit(
    model: keras.Model,
    dataset: tf.data.Dataset,
    epochs: int,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    strategy: str = "none",
    example_losses: ExampleLosses = click_losses,
) -> dict:
    """Trains a compiled model in the order of the data set, with plain Keras `fit` unless there is a strategy.

    Args:
        model: compiled; gives logits `[batch]`.
        dataset: batches of (features by name, label float32 `[batch]`), in time order.
        epochs: passes over the data set.
        callbacks: Keras's, called after the training curve.
        strategy: one of `STRATEGIES`; with any of them the model learns the same.
        example_losses: what the model was compiled to minimize the mean of, example by example.
    Returns:
        {"examples", "seconds", "curve": [{"step", "examples", "loss", "seconds"}, …]}. A point's loss is the
        mean since the point before.
    Raises:
        InputError: if the loss is not finite, or another worker is gone.
    """
    curve = TrainingCurve()
    started = time.perf_counter()
    with warnings.catch_warnings():
        # Keras says so at the end of every data set whose length it cannot know before reading it.
        warnings.filterwarnings("ignore", message="Your input ran out of data")
        if strategy == "none":
            listeners = [_StepCount(), curve, *callbacks]
            model.fit(dataset, epochs=epochs, shuffle=False, verbose=0, callbacks=listeners)
        else:
            with lost_worker_as_input_error(strategy, "start all of them again"):
                listeners = [curve, *callbacks]
                replicated_fit(model, dataset, example_losses, epochs, listeners, open_strategy(strategy))
    return {"examples": curve.examples, "seconds": time.perf_counter() - started, "curve": curve.points}


class _StepCount(keras.callbacks.Callback):
    """Keeps the optimizer's count of steps right.

    At the end of a data set whose length it does not know, Keras asks for one batch more than there is; the count,
    which waits for no batch, goes up all the same.
    """

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._steps = int(self.model.optimizer.iterations)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._steps += 1

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.model.optimizer.iterations.assign(self._steps)


def predict(model: keras.Model, dataset: tf.data.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """The labels and the predicted probabilities of all examples, each float32 `[examples]`."""
    batches = [(label.numpy(), model.predict_on_batch(features)) for features, label in dataset]
    if not batches:
        return np.zeros(0, np.float32), np.zeros(0, np.float32)
    labels, logits = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    return labels, tf.sigmoid(logits).numpy()


def measure(model: keras.Model, dataset: tf.data.Dataset) -> dict[str, float | None]:
    """{"auc", "logloss"} of a model on a data set, each None where it is undefined."""
    labels, probabilities = predict(model, dataset)
    values = {"auc": auc(labels, probabilities), "logloss": logloss(labels, probabilities)}
    return {name: None if math.isnan(value) else value for name, value in values.items()}
