"""What keras.ops has no words for: what other replicas hold, and rows of a variable in place."""

from collections.abc import Callable

import keras
from keras import ops


def gather_replicas(values: keras.KerasTensor) -> keras.KerasTensor:
    """Joins the rows that all replicas hold, in the order of the replicas.

    Under `tf.distribute` every replica sees its own part of the batch. Other backends compile one program
    over the whole batch, so there the rows are complete already.

    Args:
        values: `[batch, ...]`, this replica's rows.
    Returns:
        `[replicas * batch, ...]`, the same on every replica.
    """
    if keras.backend.backend() != "tensorflow":
        return values
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return values
    # TensorFlow asks where a value lies, which an input of the step does not know where a worker has one replica.
    return context.all_gather(tf.identity(values), axis=0)


def gather_own_first(values: keras.KerasTensor) -> keras.KerasTensor:
    """What `gather_replicas` gives, turned so that this replica's rows come first.

    Args:
        values: `[batch, ...]`, this replica's rows; each replica may have another number of them, or none.
    Returns:
        `[all, ...]`: this replica's rows, those of the replicas after it, then those of the first ones.
    """
    everything = gather_replicas(values)
    if everything is values:
        return values
    import tensorflow as tf

    counts = gather_replicas(tf.shape(values, tf.int64)[:1])
    before = tf.reduce_sum(counts[: tf.distribute.get_replica_context().replica_id_in_sync_group])
    return tf.roll(everything, -before, axis=0)


def gather_first(values: keras.KerasTensor, count: int) -> keras.KerasTensor:
    """The first so many of the rows that all replicas hold, or as many as there are.

    Args:
        values: `[batch, ...]`, this replica's rows.
        count: int > 0.
    Returns:
        `[at most count, ...]`, the same on every replica.
    """
    return gather_replicas(values[:count])[:count]


def fuse(function: Callable) -> Callable:
    """Makes one pass over memory of a function's elementwise operations.

    TensorFlow runs operations one by one, each over all that the one before has written. Other backends
    compile them together anyway.
    """
    if keras.backend.backend() != "tensorflow":
        return function
    import tensorflow as tf

    return tf.function(function, jit_compile=True)


def read_rows(variable: keras.Variable, start: keras.KerasTensor, count: int) -> keras.KerasTensor:
    """Reads some rows of a variable.

    Once rows of a variable have been written in place, TensorFlow copies all of it whenever it is read whole;
    gathered, the rows alone are copied.

    Args:
        variable: `[n, ...]`.
        start: int32 scalar, the first row.
        count: how many.
    Returns:
        `[count, ...]`.
    """
    if keras.backend.backend() != "tensorflow":
        shape = (count, *variable.shape[1:])
        return ops.slice(ops.convert_to_tensor(variable), (start, *[0] * (len(shape) - 1)), shape)
    import tensorflow as tf

    return tf.gather(variable.value, tf.range(start, start + count))


def write_rows(variable: keras.Variable, rows: keras.KerasTensor, values: keras.KerasTensor) -> None:
    """Writes some rows of a variable.

    TensorFlow would copy the whole variable to do it with keras.ops; it has an operation that writes the
    rows alone. Compiled JAX updates the donated variable in place.

    Args:
        variable: `[n, ...]`.
        rows: int32 `[batch]`, no row twice.
        values: `[batch, ...]`, what to write; the same on every replica.
    """
    if keras.backend.backend() != "tensorflow":
        variable.assign(ops.scatter_update(variable, rows[:, None], values))
        return
    import tensorflow as tf

    if isinstance(variable.value, tf.Variable):
        variable.value.scatter_update(tf.IndexedSlices(tf.cast(values, variable.dtype), rows))
    else:  # in a stateless scope the value is a tensor
        variable.assign(ops.scatter_update(variable, rows[:, None], values))
