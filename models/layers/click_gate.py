"""Weights of experts that follow from how often an item was clicked."""

from typing import Any

import keras
import tensorflow as tf

# An optimizer moves all variables by steps of one size, and a weight has further to go than those of dense layers.
_SCALE = 5.0
_LARGEST = 8.0


@keras.saving.register_keras_serializable(package="adlens")
class ClickGate(keras.layers.Layer):
    """Weighs experts by the item's clicks.

    Bucket 0 holds items without clicks, bucket b those with 2^(b-1) up to 2^b - 1, the last all that have more:

        weights = 8 ^ tanh(5 · sum of increments[j] over j = 0 … bucket)

    The weights are positive, so that no expert is turned around, and begin at 1. They stay between 1/8 and 8,
    so that no expert is silenced before it has learned anything. They need not sum to 1: how much is known of
    an item at all is learned too. Each bucket adds to the one below, so that a bucket which training never saw
    weighs as its neighbor. With one bucket the weights depend on no item.

    A weight depends on the item alone, so it can be multiplied into the item's vector: weight · (u · v) is
    u · (weight · v).

    Args:
        num_experts: int > 0.
        num_buckets: int > 0.
    Call arguments:
        clicks: int `[items]`, of the training days.
    Returns:
        float32 `[items, num_experts]` under any policy.
    Raises:
        ValueError: if `num_experts` or `num_buckets` < 1.
    Source: Alimama Tech, "Mixture of Multi-Modal Experts for Advertising Recall", section 3.3.
    """

    def __init__(self, num_experts: int, num_buckets: int = 1, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        if num_experts < 1 or num_buckets < 1:
            raise ValueError(
                f"num_experts and num_buckets must be at least 1, got {num_experts} and {num_buckets}"
            )
        self.num_experts = num_experts
        self.num_buckets = num_buckets

    def build(self, input_shape: object = None) -> None:
        self.base = self.add_weight(
            shape=(1, self.num_experts),
            initializer="zeros",
            dtype="float32",
            autocast=False,
            name="base",
        )
        self.increments = self.add_weight(
            shape=(self.num_buckets - 1, self.num_experts),
            initializer="zeros",
            dtype="float32",
            autocast=False,
            name="increments",
        )
        self.built = True

    def call(self, clicks: tf.Tensor) -> tf.Tensor:
        return tf.gather(self.weights_by_bucket(), self.buckets(clicks))

    def buckets(self, clicks: tf.Tensor) -> tf.Tensor:
        """int32 `[items]`, in [0, num_buckets)."""
        # Whole numbers are compared, so that 2^b never falls beside its edge.
        edges = tf.constant([2**power for power in range(self.num_buckets - 1)], tf.int64)
        return tf.searchsorted(edges, tf.cast(clicks, tf.int64), side="right")

    def weights_by_bucket(self) -> tf.Tensor:
        """float32 `[num_buckets, num_experts]`."""
        increments = tf.concat([self.base.value, self.increments.value], axis=0)
        return _LARGEST ** tf.math.tanh(_SCALE * tf.cumsum(increments))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*input_shape, self.num_experts)

    def compute_output_spec(self, clicks: keras.KerasTensor) -> keras.KerasTensor:
        return keras.KerasTensor(self.compute_output_shape(clicks.shape), "float32")

    def get_config(self) -> dict:
        return super().get_config() | {"num_experts": self.num_experts, "num_buckets": self.num_buckets}
