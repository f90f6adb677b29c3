"""Trains a click-through-rate model."""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from models.click_training import fit, measure
from models.continuation.fit_checkpoints import FitCheckpoints
from models.continuation.fit_passes import Skip
from models.ctr.config import CtrConfig
from models.optimizers.rowwise_adagrad import RowwiseAdagrad


def train(
    model: keras.Model,
    train_dataset: tf.data.Dataset,
    config: CtrConfig,
    eval_dataset: tf.data.Dataset | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    begin: Callable[[], None] = lambda: None,
    checkpoints: FitCheckpoints | None = None,
    skip: Skip | None = None,
) -> dict:
    """Trains `model` with plain `fit`, in the order of the data set.

    Args:
        model: gives logits `[batch]`; its ID tables are `IdEmbedding` layers.
        train_dataset: batches of (features by name, label float32 `[batch]`), in time order.
        config: learning rates and epochs.
        eval_dataset: batches of the same kind, to measure the trained model on.
        callbacks: Keras's.
        begin: called once the model is compiled, before the first step; here it may go on from an earlier training.
        checkpoints: see `fit`.
        skip: of the training data set, see `fit`.
    Returns:
        What `fit` gives, and where there is an eval data set "eval": {"auc", "logloss"}.
    Raises:
        InputError: if the loss is not finite.
    """
    compile_for_training(model, config)
    begin()
    history = fit(
        model,
        train_dataset,
        config.epochs,
        callbacks,
        config.strategy,
        checkpoints=checkpoints,
        skip=skip,
    )
    return history if eval_dataset is None else history | {"eval": measure(model, eval_dataset)}


def compile_for_training(model: keras.Model, config: CtrConfig) -> None:
    """Gives `model` the loss and the optimizer that `config` describes."""
    model.compile(
        optimizer=RowwiseAdagrad(
            config.learning_rate, config.table_learning_rate, global_clipnorm=config.global_clipnorm
        ),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        jit_compile=False,  # XLA would update whole tables
    )
