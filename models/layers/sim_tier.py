"""Counts how many behaviors fall in each similarity tier."""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="adlens")
class SimTier(keras.layers.Layer):
    """Counts how many behaviors fall in each similarity tier.

    Tier i of N holds the similarities in [-1 + 2i/N, -1 + 2(i+1)/N); the last one holds 1 too, and what
    rounding puts beyond either end falls in the tier at that end. A behavior that is padding, or whose
    similarity means nothing because one of the two embeddings is missing, is in no tier.

    The edges are compared as float32 numbers, as a loop over the tiers would compare them, so a similarity on
    an edge lands where that loop puts it. There is no loop: each similarity is compared with the edge nearest
    to it, then one pass counts, and nothing of the size `batch * length * num_tiers` is made. The counts have
    no gradient: the embeddings are frozen.

    Counts are made in float32 and then cast: in mixed precision they are exact up to 256 in bfloat16 and up to
    2,048 in float16.

    Args:
        num_tiers: int > 0. Equal-width bins over [-1, 1].
        log_counts: gives log(1 + count) instead of the count. Not in the paper; off by default.
    Call arguments:
        similarity: float `[batch, length]`, cosine.
        padding_mask: bool `[batch, length]`, True where the similarity counts.
    Returns:
        float `[batch, num_tiers]` of the layer's compute dtype.
    Raises:
        ValueError: if `num_tiers` < 1.
    Source: Sheng et al. 2024 (arXiv 2407.19467), section 4.2, algorithm 1.
    """

    def __init__(self, num_tiers: int = 20, log_counts: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if num_tiers < 1:
            raise ValueError(f"num_tiers must be at least 1, got {num_tiers}")
        self.num_tiers = num_tiers
        self.log_counts = log_counts
        # Similarities keep their precision in mixed precision: the tiers' edges are float32.
        self.autocast = False
        self.supports_masking = True

    def call(self, similarity: tf.Tensor, padding_mask: tf.Tensor) -> tf.Tensor:
        tiers = self._tiers(tf.cast(similarity, tf.float32))
        # Weighing by the mask costs less than sending what is masked to a tier of its own.
        weights = tf.cast(padding_mask, tf.float32)
        counts = tf.raw_ops.DenseBincount(input=tiers, size=self.num_tiers, weights=weights)
        counts = tf.math.log1p(counts) if self.log_counts else counts
        return tf.cast(tf.ensure_shape(counts, [None, self.num_tiers]), self.compute_dtype)

    def _tiers(self, similarity: tf.Tensor) -> tf.Tensor:
        """int32 `[batch, length]`.

        What is computed from the similarity is off by rounding, so it only names the nearest edge; that one's
        own value, a quotient of two numbers without rounding, is the float32 nearest to -1 + 2i/N.
        """
        half = self.num_tiers / 2
        nearest = tf.math.rint(similarity * half + half)
        # Not `/`: graph optimizers make a product with the reciprocal of it, which is rounded twice.
        edge = tf.math.divide_no_nan(nearest - half, half)
        tiers = nearest + tf.floor(similarity - edge)  # the floor is -1 below the edge, 0 from it on
        return tf.clip_by_value(tf.cast(tiers, tf.int32), 0, self.num_tiers - 1)

    def compute_output_shape(self, similarity_shape: tuple, padding_mask_shape: object = None) -> tuple:
        return (*similarity_shape[:-1], self.num_tiers)

    def get_config(self) -> dict:
        return super().get_config() | {"num_tiers": self.num_tiers, "log_counts": self.log_counts}
