"""Trains a model on several replicas as one replica would."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from models.continuation.fit_passes import FitPasses
from models.distribution.batch_parts import share_out
from models.distribution.run_epochs import run_epochs

# Gives each example's loss `[examples]` for a model and an element of the data set, a tuple.
ExampleLosses = Callable[[keras.Model, Any], tf.Tensor]


def replicated_fit(
    model: keras.Model,
    passes: Sequence[FitPasses],
    example_losses: ExampleLosses,
    callbacks: Sequence[keras.callbacks.Callback],
    strategy: tf.distribute.Strategy,
    take_over_steps: int | None = None,
) -> None:
    """Does what `fit` does on one replica, in step on all replicas of a strategy.

    Keras's `fit` takes the mean of each replica's part and then the mean of these, which is another loss where
    the parts are of different sizes, and not a number where one is empty; here each example counts the same.

    A copy of the model is trained, and the model and its optimizer take over the copy's state after each epoch, and
    within an epoch where somebody wants to save it.
    So the model itself knows of no strategy: it is measured, exported and trained on like any other, and its state
    is the same on every worker.

    Args:
        model: compiled; `get_config` says how it is made.
        passes: over batches that are tuples, see `share_out`.
        example_losses: of the model's copy, on a replica's part of a batch; the step's loss is the mean over the
            whole batch.
        callbacks: Keras's. They see the model, with the weights that it took over last, and may stop the training
            at the end of an epoch.
        strategy: of `open_strategy`.
        take_over_steps: after so many batches of an epoch, and again and again, the model takes over too; None: not.
    """
    with strategy.scope():
        replicated = type(model).from_config(model.get_config())
        optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
        optimizer.build(replicated.trainable_variables)
    model.optimizer.build(model.trainable_variables)
    _assign([*replicated.variables, *optimizer.variables], [*model.variables, *model.optimizer.variables])

    def take_over() -> None:
        _assign(
            [*model.trainable_variables, *model.optimizer.variables],
            [*replicated.trainable_variables, *optimizer.variables],
        )

    step = partial(_step, replicated, optimizer, example_losses)
    for each in passes:
        run_epochs(
            model,
            share_out(each.batches, strategy),
            step,
            strategy,
            each.epochs,
            callbacks,
            take_over=take_over,
            take_over_steps=take_over_steps,
            first_batch=each.first_batch,
        )
        if model.stop_training:
            break


def _step(
    model: keras.Model, optimizer: keras.optimizers.Optimizer, example_losses: ExampleLosses, batch: Any
) -> tuple[tf.Tensor, tf.Tensor]:
    """A step of one replica: its share of the batch's mean loss, and the number of the batch's examples."""
    context = tf.distribute.get_replica_context()
    with tf.GradientTape() as tape:
        losses = example_losses(model, batch)
        count = context.all_reduce(tf.distribute.ReduceOp.SUM, tf.cast(tf.size(losses), losses.dtype))
        loss = tf.reduce_sum(losses) / count
    variables = model.trainable_variables
    # The optimizer sums the gradients over the replicas.
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
    return loss, count


def _assign(targets: Iterable[keras.Variable], sources: Iterable[keras.Variable]) -> None:
    for target, source in zip(targets, sources, strict=True):
        target.assign(source.numpy())
