"""What the trainings of all models that predict a click share."""

import math
import time
import warnings
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from models.metrics.auc import auc
from models.metrics.logloss import logloss
from models.training_curve import TrainingCurve


def fit(
    model: keras.Model,
    dataset: tf.data.Dataset,
    epochs: int,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> dict:
    """Trains a compiled model with plain Keras `fit`, in the order of the data set.

    Args:
        model: compiled; gives logits `[batch]`.
        dataset: batches of (features by name, label float32 `[batch]`), in time order.
        epochs: passes over the data set.
        callbacks: Keras's, called after the training curve.
    Returns:
        {"examples", "seconds", "curve": [{"step", "examples", "loss", "seconds"}, …]}. A point's loss is the
        mean since the point before.
    Raises:
        InputError: if the loss is not finite.
    """
    curve = TrainingCurve()
    started = time.perf_counter()
    with warnings.catch_warnings():
        # Keras says so at the end of every data set whose length it cannot know before reading it.
        warnings.filterwarnings("ignore", message="Your input ran out of data")
        model.fit(dataset, epochs=epochs, shuffle=False, verbose=0, callbacks=[curve, *callbacks])
    return {"examples": curve.examples, "seconds": time.perf_counter() - started, "curve": curve.points}


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
