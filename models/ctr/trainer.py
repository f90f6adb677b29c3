"""Trains a click-through-rate model."""

import math
import time
import warnings

import keras
import numpy as np
import tensorflow as tf

from models.ctr.config import CtrConfig
from models.metrics.auc import auc
from models.metrics.logloss import logloss
from models.optimizers.rowwise_adagrad import RowwiseAdagrad
from models.training_curve import TrainingCurve


def train(
    model: keras.Model,
    train_dataset: tf.data.Dataset,
    config: CtrConfig,
    eval_dataset: tf.data.Dataset | None = None,
) -> dict:
    """Trains `model` with plain `fit`, in the order of the data set.

    Args:
        model: gives logits `[batch]`; its ID tables are `IdEmbedding` layers.
        train_dataset: batches of (features by name, label float32 `[batch]`), in time order.
        config: learning rates and epochs.
        eval_dataset: batches of the same kind, to measure the trained model on.
    Returns:
        {"examples", "seconds", "curve": [{"step", "examples", "loss", "seconds"}, …]}, and where there is an
        eval data set "eval": {"auc", "logloss"}, each None where it is undefined. A point's loss is the mean
        since the point before.
    Raises:
        InputError: if the loss is not finite.
    """
    compile_for_training(model, config)
    curve = TrainingCurve()
    started = time.perf_counter()
    with warnings.catch_warnings():
        # Keras says so at the end of every data set whose length it cannot know before reading it.
        warnings.filterwarnings("ignore", message="Your input ran out of data")
        model.fit(train_dataset, epochs=config.epochs, shuffle=False, verbose=0, callbacks=[curve])
    history: dict = {
        "examples": curve.examples,
        "seconds": time.perf_counter() - started,
        "curve": curve.points,
    }
    if eval_dataset is not None:
        history["eval"] = _evaluate(model, eval_dataset)
    return history


def predict(model: keras.Model, dataset: tf.data.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """The labels and the predicted probabilities of all examples, each float32 `[examples]`."""
    batches = [(label.numpy(), model.predict_on_batch(features)) for features, label in dataset]
    if not batches:
        return np.zeros(0, np.float32), np.zeros(0, np.float32)
    labels, logits = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    return labels, tf.sigmoid(logits).numpy()


def _evaluate(model: keras.Model, dataset: tf.data.Dataset) -> dict[str, float | None]:
    labels, probabilities = predict(model, dataset)
    values = {"auc": auc(labels, probabilities), "logloss": logloss(labels, probabilities)}
    return {name: None if math.isnan(value) else value for name, value in values.items()}


def compile_for_training(model: keras.Model, config: CtrConfig) -> None:
    """Gives `model` the loss and the optimizer that `config` describes."""
    model.compile(
        optimizer=RowwiseAdagrad(
            config.learning_rate, config.table_learning_rate, global_clipnorm=config.global_clipnorm
        ),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        jit_compile=False,  # XLA would update whole tables
    )
