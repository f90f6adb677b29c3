"""Raw columns of requests, as TensorFlow Transform's layer takes them."""

import tensorflow as tf


def rows_from(first: int, count: tf.Tensor) -> tf.Tensor:
    """The places of `count` values in as many rows from `first` on, int64 `[count, 2]`."""
    return tf.pad(first + tf.range(count)[:, None], [[0, 0], [0, 1]])


def one_a_row(column: tf.Tensor, indices: tf.Tensor, rows: tf.Tensor) -> tf.SparseTensor:
    """A value a row; an empty string stands for a missing one, and so does a NaN.

    Args:
        column: `[values]`, strings or numbers.
        indices: int64 `[values, 2]`, of `rows_from`.
        rows: int64 scalar, how many rows there are.
    Returns:
        `[rows, 1]`. The transform takes an empty string as missing; of a NaN it knows nothing, so that it is
        left out.
    """
    if column.dtype.is_floating:
        is_number = tf.logical_not(tf.math.is_nan(column))
        indices, column = tf.boolean_mask(indices, is_number), tf.boolean_mask(column, is_number)
    return tf.SparseTensor(indices, column, tf.stack([rows, 1]))


def empty(dtype: tf.DType, rows: tf.Tensor) -> tf.SparseTensor:
    """A column without values, `[rows, 0]`."""
    return tf.SparseTensor(tf.zeros([0, 2], tf.int64), tf.zeros([0], dtype), tf.stack([rows, 0]))
