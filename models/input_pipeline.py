"""What the input pipelines of all models share."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf

# Batches that are prepared at the same time.
BATCHES_AT_ONCE = 4


def without_autotune(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Turns off the thread with which tf.data tunes itself.

    It sleeps twice as long each time, up to a minute, and an iterator that has come to its end waits for it
    to wake up: in TensorFlow 2.21 a `fit` of 2.6 seconds often takes 5.1, and one of 40 may take 80.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def shuffle_without_end(
    files: Sequence[str],
    read: Callable[[str], Iterator[dict[str, Any]]],
    specs: dict[str, tf.TensorSpec],
    shuffle_buffer: int,
    seed: int,
) -> tf.data.Dataset:
    """Rows of files without end in an order that follows from the seed; each pass has another one.

    Args:
        files: names, with at least one row among them.
        read: gives a file's rows by column, some at a time; "item_id" is among the columns.
        specs: of these columns, `[None]` each.
        shuffle_buffer: rows that are held to pick the next from.
        seed: of the order.
    Returns:
        Single rows, scalars by column; "item_id" as int32, not negative: a number is enough to see that two
        items are the same, and fits a bank of any backend.
    """

    def read_file(file: tf.Tensor) -> tf.data.Dataset:
        return tf.data.Dataset.from_generator(
            lambda name: read(name.decode()), output_signature=specs, args=(file,)
        )

    rows = tf.data.Dataset.from_tensor_slices(list(files))
    rows = rows.shuffle(len(files), seed=seed, reshuffle_each_iteration=True)
    rows = rows.flat_map(read_file).unbatch()
    rows = rows.shuffle(shuffle_buffer, seed=seed, reshuffle_each_iteration=True).repeat()
    return rows.map(_number_item)


def _number_item(row: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    number = tf.strings.to_hash_bucket_fast(row["item_id"], 2**31 - 1)
    return row | {"item_id": tf.cast(number, tf.int32)}
