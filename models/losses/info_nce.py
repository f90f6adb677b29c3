"""The contrastive loss of a query and its positive against negatives."""

import keras
from keras import ops

from models.layers.replicas import gather_replicas

# What an excluded negative's logit is: its exponential is 0 in every precision.
EXCLUDED = -1e9


def info_nce(positive_logits: keras.KerasTensor, negative_terms: keras.KerasTensor) -> keras.KerasTensor:
    """-log(exp(positive) / (exp(positive) + Σ exp(negative))), the negatives' sum coming as its logarithm.

    Args:
        positive_logits: float32 `[batch]`, similarity of query and positive over the temperature.
        negative_terms: float32 `[batch]`, log Σ exp(similarity / temperature) over the negatives.
    Returns:
        float32 `[batch]`; 0 where there is no negative (a negative term of minus infinity).
    Source: Sheng et al. 2024 (arXiv 2407.19467), equation 1, the sum taken to hold the positive.
    """
    return ops.softplus(negative_terms - positive_logits)


def in_batch_negative_terms(
    scaled_queries: keras.KerasTensor, keys: keras.KerasTensor, item_ids: keras.KerasTensor
) -> keras.KerasTensor:
    """log Σ exp over the batch's other items, for `info_nce`; gradients reach queries and keys.

    The batch is that of all replicas: a query meets the keys that others hold too.

    Args:
        scaled_queries: float32 `[batch, dim]`, unit vectors over the temperature.
        keys: float32 `[batch, dim]`, unit vectors; row i is query i's positive.
        item_ids: int32 `[batch]`, the positives' items; the same item is no negative.
    Returns:
        float32 `[batch]`.
    """
    logits = ops.matmul(scaled_queries, ops.transpose(gather_replicas(keys)))
    is_same = ops.equal(item_ids[:, None], gather_replicas(item_ids)[None, :])
    return ops.logsumexp(ops.where(is_same, EXCLUDED, logits), axis=-1)
