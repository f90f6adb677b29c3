"""The softmax over a sample of items, corrected for how the sample was drawn."""

import tensorflow as tf

from models import scann_loader as scann_loader  # noqa: PLC0414 the next imports need it

# isort: split
from tensorflow_recommenders.layers import loss as loss_layers
from tensorflow_recommenders.tasks import Retrieval

from models.recall.config import RecallConfig


@tf.function  # the task is written for autograph, which Keras 3 turns off for what it calls
def retrieval_loss(
    users: tf.Tensor, items: tf.Tensor, item_ids: tf.Tensor, clicks: tf.Tensor, config: RecallConfig
) -> tf.Tensor:
    """What the towers learn from: user b clicked item b, and all other items are negatives.

    Items come into a batch as often as they are clicked, so popular ones are negatives too often; the logarithm
    of their share of the clicks, taken off their scores, makes up for it. A negative of the same id as the
    positive is left out, also where it is of an earlier batch.

    Args:
        users: float32 `[batch, dim]`.
        items: float32 `[batch + earlier, dim]`; the first are what the users clicked.
        item_ids: int64 `[batch + earlier]`.
        clicks: int64 `[batch + earlier]`, of the training days.
        config: temperature and what is done about negatives.
    Returns:
        float32 `[batch]`.
    Source: Yi et al. 2019, "Sampling-Bias-Corrected Neural Modeling", for the correction.
    """
    task = Retrieval(
        loss=_cross_entropy,
        temperature=config.temperature,
        num_hard_negatives=config.num_hard_negatives,
        remove_accidental_hits=config.remove_accidental_hits,
    )
    return task(
        users,
        items,
        candidate_sampling_probability=_sampling_probability(clicks),
        candidate_ids=item_ids,
        compute_metrics=False,
        compute_batch_metrics=False,
    )


def reorder_loss(
    scores: tf.Tensor, item_ids: tf.Tensor, clicks: tf.Tensor, config: RecallConfig
) -> tf.Tensor:
    """The same of scores that are no inner products.

    Args:
        scores: float32 `[batch, batch]`; on the diagonal those of what the users clicked.
        item_ids: int64 `[batch]`.
        clicks: int64 `[batch]`.
        config: as in `retrieval_loss`.
    Returns:
        float32 `[batch]`.
    """
    labels = tf.eye(tf.shape(scores)[0])
    logits = scores / config.temperature
    logits = loss_layers.SamplingProbablityCorrection()(logits, _sampling_probability(clicks))
    if config.remove_accidental_hits:
        logits = loss_layers.RemoveAccidentalHits()(labels, logits, item_ids)
    return _cross_entropy(labels, logits)


def _sampling_probability(clicks: tf.Tensor) -> tf.Tensor:
    """How likely each item is drawn, up to a factor that all share, which a softmax does not see.

    With the share of all clicks, the least that the correction knows (1e-6) would be that of most items of a
    large log.
    """
    clicks = tf.cast(tf.maximum(clicks, 1), tf.float32)
    return clicks / tf.reduce_max(clicks)


def _cross_entropy(y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: tf.Tensor | None = None) -> tf.Tensor:
    """`[batch]`, where the task's own gives the sum."""
    return tf.nn.softmax_cross_entropy_with_logits(y_true, y_pred)
