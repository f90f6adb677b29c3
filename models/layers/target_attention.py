"""DIN's attention of a target item over a user's behaviors."""

from typing import Any

import keras
import tensorflow as tf

from models.layers.mlp import Mlp


@keras.saving.register_keras_serializable(package="adlens")
class TargetAttention(keras.layers.Layer):
    """Sums a user's behaviors, each weighted by how it relates to the target item.

    The weight of behavior k for target q is an MLP over [q, k, q - k, q * k]; as in DIN the weights are not
    normalized by a softmax, so that many matching behaviors count for more than one. Padded ones weigh 0.

    The MLP's first layer is not computed over that concatenation. With its kernel cut in four, W1 to W4,

        [q, k, q - k, q * k] W = q (W1 + W3) + k (W2 - W3) + (q * k) W4
                               = q (W1 + W3) + k ((W2 - W3) + diag(q) W4)

    is the same number from a quarter of the multiplications: one matrix for each target, times its behaviors.
    `score` turns it around for many targets of one user: k (W2 - W3) and (W1 + W3) + diag(k) W4 depend on the
    user alone and are computed once.

    What is known of a target and a behavior together, a similarity say, may stand beside: it is a further input
    of the MLP and is summed with the same weights.

    Args:
        attention_units: widths of the MLP's hidden layers, at least one.
        activation: activation of the hidden layers.
        kernel_initializer: of the MLP's first layer.
        pair_dim: how many numbers are known of each target and behavior together.
    Call arguments:
        target: float `[batch, dim]`.
        behaviors: float `[batch, length, dim]`.
        padding_mask: bool `[batch, length]`, True where real.
        pairs: float `[pair_dim, batch, length]`, None where `pair_dim` is 0. (With `pair_dim` last, numbers that
            were computed apart would have to be interleaved, which takes longer than all that is done to them.)
    Returns:
        float `[batch, dim + pair_dim]`, zero for a user without behaviors.
    Raises:
        ValueError: if `attention_units` is empty.
    Source: Zhou et al. 2018, Deep Interest Network (arXiv 1706.06978), section 4.3.
    """

    def __init__(
        self,
        attention_units: tuple[int, ...] = (32,),
        activation: str = "relu",
        kernel_initializer: str | dict | keras.initializers.Initializer = "glorot_uniform",
        pair_dim: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not attention_units:
            raise ValueError("attention_units must name at least one layer, got none")
        self.attention_units = tuple(attention_units)
        self.activation = keras.activations.get(activation)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.pair_dim = pair_dim
        self.weigh = Mlp((*self.attention_units[1:], 1), activation, dtype=self.dtype_policy, name="weigh")

    def build(
        self,
        target_shape: tuple,
        behaviors_shape: object = None,
        padding_mask_shape: object = None,
        pairs_shape: object = None,
    ) -> None:
        dim, units = target_shape[-1], self.attention_units[0]
        self.kernel = self.add_weight(
            shape=(4 * dim, units), initializer=self.kernel_initializer, name="kernel"
        )
        self.bias = self.add_weight(shape=(units,), initializer="zeros", name="bias")
        if self.pair_dim:
            self.pair_kernel = self.add_weight(
                shape=(self.pair_dim, units), initializer=self.kernel_initializer, name="pair_kernel"
            )
        self.weigh.build((None, None, units))
        self.built = True

    def call(
        self,
        target: tf.Tensor,
        behaviors: tf.Tensor,
        padding_mask: tf.Tensor,
        pairs: tf.Tensor | None = None,
    ) -> tf.Tensor:
        of_target, of_behavior, of_product = self._split_kernel()
        query = tf.matmul(target, of_target) + self._cast(self.bias)  # [batch, units]
        matrices = of_behavior + target[:, :, None] * of_product  # [batch, dim, units]
        hidden = tf.matmul(behaviors, matrices) + query[:, None, :]  # [batch, length, units]
        if pairs is not None:
            hidden += self._of_pairs(pairs)
        weights = self._weights(self.activation(hidden), padding_mask)
        return self._sum(tf.matmul(weights[:, None, :], behaviors)[:, 0, :], weights, pairs)

    def score(
        self,
        targets: tf.Tensor,
        behaviors: tf.Tensor,
        padding_mask: tf.Tensor,
        pairs: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Attends from many targets over one user's behaviors; equal to `call` with the user repeated.

        Args:
            targets: float `[candidates, dim]`.
            behaviors: float `[1, length, dim]`, length > 0: TensorFlow aborts the process where a fused product
                of matrices has no column.
            padding_mask: bool `[1, length]`, True where real.
            pairs: float `[pair_dim, candidates, length]`, None where `pair_dim` is 0.
        Returns:
            float `[candidates, dim + pair_dim]`.
        """
        of_target, of_behavior, of_product = self._split_kernel()
        keys = behaviors[0]  # [length, dim]
        length, units = tf.shape(keys)[0], self.attention_units[0]
        offsets = tf.matmul(keys, of_behavior) + self._cast(self.bias)  # [length, units], of the user alone
        # [dim, length, units], of the user alone; laid out so that what follows is one product of matrices.
        matrices = of_target[:, None, :] + tf.einsum("ld,du->dlu", keys, of_product)
        hidden = tf.matmul(targets, tf.reshape(matrices, [keys.shape[-1], length * units]))
        hidden = tf.nn.bias_add(hidden, tf.reshape(offsets, [length * units]))
        if pairs is not None:
            hidden += tf.reshape(self._of_pairs(pairs), tf.shape(hidden))
        # Product, bias and activation stand next to each other, so that TensorFlow computes them in one pass.
        hidden = tf.reshape(self.activation(hidden), [tf.shape(targets)[0], length, units])
        weights = self._weights(hidden, padding_mask)
        return self._sum(tf.matmul(weights, keys), weights, pairs)

    def _split_kernel(self) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """W1 + W3, W2 - W3 and W4, each `[dim, units]`."""
        first, second, third, fourth = tf.split(self._cast(self.kernel), 4)
        return first + third, second - third, fourth

    def _cast(self, variable: keras.Variable) -> tf.Tensor:
        """In the compute dtype, to which Keras casts variables within `call` alone."""
        return tf.cast(variable.value, self.compute_dtype)

    def _of_pairs(self, pairs: tf.Tensor) -> tf.Tensor:
        """What the pairs add to the MLP's first layer, `[batch, length, units]`."""
        shape = tf.shape(pairs)
        flat = tf.reshape(tf.cast(pairs, self.compute_dtype), [self.pair_dim, shape[1] * shape[2]])
        hidden = tf.matmul(flat, self._cast(self.pair_kernel), transpose_a=True)
        return tf.reshape(hidden, [shape[1], shape[2], self.attention_units[0]])

    def _weights(self, hidden: tf.Tensor, padding_mask: tf.Tensor) -> tf.Tensor:
        """`[batch, length]` attention weights by the output of the MLP's first layer."""
        weights = self.weigh(hidden)[..., 0]
        return weights * tf.cast(padding_mask, weights.dtype)

    def _sum(self, interest: tf.Tensor, weights: tf.Tensor, pairs: tf.Tensor | None) -> tf.Tensor:
        """The weighted sum of the behaviors, and beside it that of what is known of the pairs."""
        if pairs is None:
            return interest
        pairs = tf.cast(pairs, weights.dtype)
        return tf.concat([interest, tf.transpose(tf.reduce_sum(weights * pairs, axis=-1))], axis=-1)

    def compute_output_shape(
        self,
        target_shape: tuple,
        behaviors_shape: object = None,
        padding_mask_shape: object = None,
        pairs_shape: object = None,
    ) -> tuple:
        return (*target_shape[:-1], target_shape[-1] + self.pair_dim)

    def get_config(self) -> dict:
        return super().get_config() | {
            "attention_units": self.attention_units,
            "activation": keras.activations.serialize(self.activation),
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "pair_dim": self.pair_dim,
        }
