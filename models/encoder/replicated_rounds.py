"""Trains a contrastive model on several replicas as one replica would."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from models.distribution.run_epochs import run_epochs
from models.encoder.training_input import Batch, TrainingInput


def fit_replicas(
    model: keras.Model,
    batches: TrainingInput,
    first_step: int,
    rounds: range,
    round_steps: int,
    callbacks: Sequence[keras.callbacks.Callback],
    strategy: tf.distribute.Strategy,
) -> None:
    """Does what `fit` does on one replica, in step on all replicas of a strategy.

    Args:
        model: made under the strategy and compiled outside of it, with an optimizer made under it that sums
            gradients over the replicas, see `ReplicaAdamW`; a call leaves the mean loss of its rows.
        batches: of all replicas together.
        first_step: steps that are behind.
        rounds: those to come, by number.
        round_steps: steps of a round.
        callbacks: Keras's, which take a round for an epoch.
        strategy: of `open_strategy`.
    """

    def step(batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        context = tf.distribute.get_replica_context()
        rows = tf.cast(tf.shape(batch["item_id"])[0], tf.float32)
        all_rows = context.all_reduce(tf.distribute.ReduceOp.SUM, rows)
        with tf.GradientTape() as tape:
            model(batch, training=True)
            loss = tf.add_n(model.losses) * rows / all_rows
        variables = model.trainable_variables
        model.optimizer.apply(tape.gradient(loss, variables), variables)
        return loss, all_rows

    parts = batches.share_out(first_step, strategy)
    run_epochs(model, parts, step, strategy, rounds, callbacks, round_steps)
