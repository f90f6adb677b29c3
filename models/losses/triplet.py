"""The loss that tells a positive from its hard negative."""

import keras
from keras import ops


def triplet_loss(
    queries: keras.KerasTensor,
    positives: keras.KerasTensor,
    negatives: keras.KerasTensor,
    has_negative: keras.KerasTensor,
    margin: float,
) -> keras.KerasTensor:
    """max(0, |q - p|² - |q - n|² + margin), the mean over the batch; a pair without a hard negative adds 0.

    For unit vectors the difference of the squared distances is twice that of the similarities.

    Args:
        queries: float32 `[batch, dim]`, unit vectors.
        positives: float32 `[batch, dim]`, unit vectors.
        negatives: float32 `[batch, dim]`, unit vectors; anything where there is none.
        has_negative: float32 `[batch]`, 1 where there is one, else 0.
        margin: squared distance by which the negative should lie farther away.
    Returns:
        float32 scalar.
    Source: Schroff et al. 2015 (arXiv 1503.03832), equation 2; used by Sheng et al. 2024, section 6.1.2.
    """
    is_there = has_negative > 0
    # A missing negative's vector may be anything, not-a-number too: it must not even meet the query, whose
    # gradient it would spoil.
    negatives = ops.where(is_there[:, None], negatives, ops.zeros_like(negatives))
    to_positive = ops.sum(queries * positives, axis=-1)
    to_negative = ops.sum(queries * negatives, axis=-1)
    losses = ops.relu(2 * (to_negative - to_positive) + margin)
    return ops.mean(ops.where(is_there, losses, ops.zeros_like(losses)))
