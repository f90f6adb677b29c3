"""Trains the knowledge extractor over several epochs."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from models.click_training import fit, measure
from models.content.item_index import ItemIndex
from models.continuation.fit_checkpoints import FitCheckpoints
from models.continuation.fit_passes import Skip
from models.ctr.dataset import read_examples
from models.make.config import MakeConfig
from models.make.model import MakeModel

LABEL = "clicked"

# All that is read of an impression; the rest is not even parsed.
FEATURE_SPEC = {
    "item_id": tf.io.VarLenFeature(tf.string),
    "behavior_item_id": tf.io.VarLenFeature(tf.string),
    LABEL: tf.io.FixedLenFeature([], tf.int64),
}


def train_make(
    model: MakeModel,
    train_dataset: tf.data.Dataset,
    config: MakeConfig,
    eval_dataset: tf.data.Dataset,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    checkpoints: FitCheckpoints | None = None,
    skip: Skip | None = None,
) -> dict[str, Any]:
    """Trains on the click task alone, every epoch in the order of the data set.

    Args:
        model: with its embeddings assigned.
        train_dataset: of `read_rows`.
        config: learning rate and epochs.
        eval_dataset: of `read_rows`, to see how the training converges.
        callbacks: Keras's.
        checkpoints: see `fit`.
        skip: of the training data set, see `fit`.
    Returns:
        What `fit` gives, and "epochs": [{"epoch", "loss", "auc", "logloss"}, …], the loss of the training and
        the others on the eval data set after each epoch.
    Raises:
        InputError: if the loss is not finite.
    """
    model.compile(
        optimizer=keras.optimizers.Adam(config.learning_rate),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        jit_compile=False,
    )
    epochs: list[dict[str, Any]] = []

    def measure_epoch(epoch: int, logs: dict[str, float] | None = None) -> None:
        loss = float(model.metrics[0].result())
        epochs.append({"epoch": epoch + 1, "loss": loss, **measure(model, eval_dataset)})

    measuring = keras.callbacks.LambdaCallback(on_epoch_end=measure_epoch)
    history = fit(
        model,
        train_dataset,
        config.epochs,
        [measuring, *callbacks],
        config.strategy,
        checkpoints=checkpoints,
        skip=skip,
        notes=epochs,
    )
    return history | {"epochs": epochs}


def read_rows(
    file_patterns: str | Sequence[str], index: ItemIndex, batch_size: int, first_batch: int = 0
) -> tf.data.Dataset:
    """Reads what a model of embeddings alone needs of impressions, in their order.

    Args:
        file_patterns: one or more patterns of TFRecord files.
        index: finds the embeddings' rows.
        batch_size: int > 0.
        first_batch: so many batches are left out before it.
    Returns:
        A dataset of (rows by name as `ItemIndex.find_in_examples` gives them, label float32 `[batch]`).
    Raises:
        InputError: if no file fits the patterns.
    """

    def transform(raw: Mapping[str, Any]) -> dict[str, tf.Tensor]:
        return {**index.find_in_examples(raw), LABEL: raw[LABEL]}

    return read_examples(file_patterns, FEATURE_SPEC, LABEL, batch_size, transform, first_batch)
