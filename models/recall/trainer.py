"""Trains a recall model."""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from models.click_training import fit
from models.continuation.fit_checkpoints import FitCheckpoints
from models.optimizers.rowwise_adagrad import RowwiseAdagrad
from models.recall.config import RecallConfig
from models.recall.dataset import CLICKS_BEFORE, with_clicks_before, with_earlier_items
from models.recall.model import RecallModel


def train(
    model: RecallModel,
    clicks: tf.data.Dataset,
    config: RecallConfig,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    begin: Callable[[], None] = lambda: None,
    checkpoints: FitCheckpoints | None = None,
) -> dict:
    """Trains `model` with plain `fit`.

    Args:
        model: its ID tables are `IdEmbedding` layers, its embeddings are assigned.
        clicks: batches of features by name, as `read_clicks` gives them, `item_clicks` among them.
        config: learning rates, epochs and negatives.
        callbacks: Keras's.
        begin: called once the model is compiled, before the first step; here it may go on from an earlier training.
        checkpoints: see `fit`.
    Returns:
        {"examples", "seconds", "curve": [{"step", "examples", "loss", "seconds"}, …]}.
    Raises:
        InputError: if the loss is not finite.
    """
    compile_for_training(model, config)
    begin()
    examples = with_earlier_items(
        with_clicks_before(clicks, config.seed), [*model.item_columns, CLICKS_BEFORE], config.queue_size
    )
    # Nothing of a pass can be left unread: its order, the draws and the earlier items come from all that is behind.
    return fit(
        model, examples, config.epochs, callbacks, config.strategy, _example_losses, checkpoints=checkpoints
    )


def _example_losses(model: RecallModel, batch: tuple[tuple]) -> tf.Tensor:
    return model(batch[0], training=True)


def compile_for_training(model: RecallModel, config: RecallConfig) -> None:
    """Gives `model` the optimizer that `config` describes; the loss is the model's own."""
    model.compile(
        optimizer=RowwiseAdagrad(
            config.learning_rate, config.table_learning_rate, global_clipnorm=config.global_clipnorm
        ),
        jit_compile=False,  # XLA would update whole tables
    )
