"""From sparse columns, as examples hold them, to dense tensors.

Both functions are few operations: a request that is scored runs them for each of its columns, and spends more time
on starting an operation than in it.
"""

import tensorflow as tf


def first_values(column: tf.SparseTensor, default: float | str) -> tf.Tensor:
    """The first value of each row, or the default; `[batch]`."""
    # In a batch in which no row has a value there is not even a first place.
    shape = tf.maximum(column.dense_shape, tf.constant([0, 1], tf.int64))
    filled = tf.sparse.to_dense(tf.SparseTensor(column.indices, column.values, shape), default)
    return tf.ensure_shape(filled, [None, None])[:, 0]


def last_values(column: tf.SparseTensor, length: int) -> tf.Tensor:
    """The last values of each row in their order, padded with 0 at the end.

    Args:
        column: numbers, each row's without a gap.
        length: int > 0. Of a row with more values the first ones are left out.
    Returns:
        `[batch, length]`.
    """
    rows, places = column.indices[:, 0], column.indices[:, 1]
    num_rows = column.dense_shape[0]
    last_places = tf.maximum(tf.math.unsorted_segment_max(places, rows, num_rows), length - 1)
    places -= tf.gather(last_places, rows) - (length - 1)
    # What is left out meets in a place of its own before all others.
    targets = tf.stack([rows, tf.maximum(places + 1, 0)], axis=1)
    padded = tf.scatter_nd(targets, column.values, tf.stack([num_rows, length + 1]))
    return tf.ensure_shape(padded[:, 1:], [None, length])
