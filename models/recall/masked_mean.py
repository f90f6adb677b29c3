"""The mean of what is there."""

import tensorflow as tf


def masked_mean(values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """`[batch, dim]`, the mean of the values `[batch, length, dim]` where the mask `[batch, length]` is True.

    Zeros where it is True nowhere, also of a length of 0.
    """
    weights = tf.cast(mask, values.dtype)[:, :, None]
    return tf.math.divide_no_nan(tf.reduce_sum(values * weights, axis=1), tf.reduce_sum(weights, axis=1))
