"""The loop of a training on several replicas, in the place of `fit`."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import tensorflow as tf

# What one replica does with its part of a batch: its share of the batch's mean loss, and the number of the whole
# batch's examples.
ReplicaStep = Callable[[Any], tuple[tf.Tensor, tf.Tensor]]


def run_epochs(
    model: keras.Model,
    parts: tf.distribute.DistributedDataset,
    replica_step: ReplicaStep,
    strategy: tf.distribute.Strategy,
    epochs: range,
    callbacks: Sequence[keras.callbacks.Callback],
    steps_per_epoch: int | None = None,
    take_over: Callable[[], None] = lambda: None,
    take_over_steps: int | None = None,
    first_batch: int = 0,
) -> None:
    """Takes steps on all replicas together, and tells callbacks what `fit` would.

    `fit` of Keras 3 takes the mean over each replica's part and then the mean of these, shows the first
    replica's loss alone, takes a batch away from a data set before it begins, and does not get through its first
    step in TensorFlow's multi-worker strategy.

    Args:
        model: compiled outside of the strategy; keeps the mean loss, and callbacks see it.
        parts: of batches, see `share_out`.
        replica_step: called on each replica.
        strategy: of `open_strategy`.
        epochs: their numbers, those that are behind left out.
        callbacks: Keras's.
        steps_per_epoch: of `parts` without end; None where each epoch is a pass over them.
        take_over: called before the callbacks hear of an epoch's end.
        take_over_steps: after so many batches of an epoch, and again and again, `take_over` is called before the
            callbacks hear of a batch's end; None: not.
        first_batch: batches of the first epoch that are behind, and not in `parts`.
    """

    @tf.function(input_signature=[parts.element_spec])
    def step(batch: Any) -> tuple[tf.Tensor, tf.Tensor]:
        losses, counts = strategy.run(replica_step, args=(batch,))
        # The count is the same on all replicas.
        count = strategy.experimental_local_results(counts)[0]
        return strategy.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None), count

    tracker = model.metrics[0]  # Keras's mean of the loss, weighted by examples
    listeners = keras.callbacks.CallbackList(list(callbacks), model=model, epochs=epochs.stop)
    model.stop_training = False
    endless = None if steps_per_epoch is None else iter(parts)
    listeners.on_train_begin()
    for epoch in epochs:
        tracker.reset_state()
        listeners.on_epoch_begin(epoch)
        batches: Iterable = parts if endless is None else itertools.islice(endless, steps_per_epoch)
        for number, batch in enumerate(batches, first_batch if epoch == epochs.start else 0):
            listeners.on_train_batch_begin(number)
            tracker.update_state(*step(batch))
            if take_over_steps and (number + 1) % take_over_steps == 0:
                take_over()
            listeners.on_train_batch_end(number, {"loss": float(tracker.result())})
        take_over()
        listeners.on_epoch_end(epoch, {"loss": float(tracker.result())})
        if model.stop_training:
            break
    listeners.on_train_end()
