"""What the trainings of all models that predict a click share."""

import math
import time
import warnings
from collections.abc import Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from models.continuation.checkpoint_saver import CheckpointSaver
from models.continuation.fit_checkpoints import FitCheckpoints
from models.continuation.fit_passes import FitPasses, Skip
from models.continuation.fit_state import FitState
from models.distribution.hear_chief import hear_chief
from models.distribution.lost_worker import lost_worker_as_input_error
from models.distribution.replicated_fit import ExampleLosses, replicated_fit
from models.distribution.strategy import is_chief, open_strategy
from models.metrics.auc import auc
from models.metrics.logloss import logloss
from models.training_curve import TrainingCurve
from transforms.input_error import InputError

_AGAIN = "start all workers again"


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
    checkpoints: FitCheckpoints | None = None,
    skip: Skip | None = None,
    notes: list[dict] | None = None,
) -> dict:
    """Trains a compiled model in the order of the data set, with plain Keras `fit` unless there is a strategy.

    Args:
        model: compiled; gives logits `[batch]`.
        dataset: batches of (features by name, label float32 `[batch]`), in time order.
        epochs: passes over the data set.
        callbacks: Keras's, called after the training curve.
        strategy: one of `STRATEGIES`; with any of them the model learns the same.
        example_losses: what the model was compiled to minimize the mean of, example by example.
        checkpoints: where the training goes on from, if there is one, and leaves others; None: neither.
        skip: the data set without its first batches, see `FitPasses`.
        notes: what `callbacks` note at the ends of epochs; gets what they had noted before a checkpoint.
    Returns:
        {"examples", "seconds", "curve": [{"step", "examples", "loss", "seconds"}, …]}. A point's loss is the
        mean since the point before.
    Raises:
        InputError: if the loss is not finite, another worker is gone or sees another checkpoint, or the checkpoint
            is of another model.
    """
    state = FitState() if checkpoints is None else _go_on(model, checkpoints, strategy)
    seconds_before = state.curve[-1]["seconds"] if state.curve else 0.0
    curve = TrainingCurve(points=state.curve)
    notes = [] if notes is None else notes
    notes[:] = state.notes
    listeners = [_restore_loss(model, state), curve, *callbacks]
    if checkpoints is not None and is_chief(open_strategy(strategy)):
        listeners.append(CheckpointSaver(checkpoints, state, curve, notes, epochs))
    passes = FitPasses.to_come(dataset, epochs, state, skip)
    started = time.perf_counter()
    with warnings.catch_warnings():
        # Keras says so at the end of every data set whose length it cannot know before reading it.
        warnings.filterwarnings("ignore", message="Your input ran out of data")
        if strategy == "none":
            _plain_fit(model, passes, listeners)
        else:
            every = None if checkpoints is None else checkpoints.every_steps
            with lost_worker_as_input_error(strategy, _AGAIN):
                replicated_fit(model, passes, example_losses, listeners, open_strategy(strategy), every)
    seconds = seconds_before + time.perf_counter() - started
    return {"examples": curve.examples, "seconds": seconds, "curve": curve.points}


def _plain_fit(
    model: keras.Model, passes: Sequence[FitPasses], callbacks: Sequence[keras.callbacks.Callback]
) -> None:
    for each in passes:
        model.fit(
            each.batches,
            initial_epoch=each.epochs.start,
            epochs=each.epochs.stop,
            shuffle=False,
            verbose=0,
            callbacks=[_StepCount(), *callbacks],
        )
        if model.stop_training:
            break


def _go_on(model: keras.Model, checkpoints: FitCheckpoints, strategy: str) -> FitState:
    """The state that all workers begin with."""
    state = checkpoints.restore(model)
    with lost_worker_as_input_error(strategy, _AGAIN):
        place = [state.epoch, state.batch]
        of_chief = hear_chief(place, open_strategy(strategy))
    if place != of_chief:
        raise InputError(
            f"all workers must see the same checkpoints, got one of epoch and batch {place} where the chief has one "
            f"of {of_chief}; put ROOT where all workers read and write"
        )
    return state


def _restore_loss(model: keras.Model, state: FitState) -> keras.callbacks.Callback:
    """Lets the mean loss of the pass that a training goes on in begin with what was behind."""

    def begin(epoch: int, logs: dict | None = None) -> None:
        if epoch == state.epoch:
            tracker = model.metrics[0]
            tracker.total.assign(state.loss_total)
            tracker.count.assign(state.loss_count)

    return keras.callbacks.LambdaCallback(on_epoch_begin=begin)


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
