"""Finds numbers by ids, in a graph."""

import numpy as np
import pyarrow as pa
import tensorflow as tf

_INSERTED_AT_ONCE = 100_000


def make_id_table(ids: pa.Array, numbers: np.ndarray) -> tf.lookup.experimental.MutableHashTable:
    """A table from ids to numbers; 0 for an id that is not in it.

    A module that holds it carries it into its SavedModel.

    Args:
        ids: string array `[ids]`, without doubles.
        numbers: int64 `[ids]`.
    """
    table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, 0)
    # In parts, since TensorFlow copies each text.
    for start in range(0, len(ids), _INSERTED_AT_ONCE):
        part = ids.slice(start, _INSERTED_AT_ONCE)
        keys = part.cast(pa.binary()).to_numpy(zero_copy_only=False)
        table.insert(tf.constant(keys, tf.string), numbers[start : start + len(part)])
    return table
