"""An array in a file, a part at a time."""

from collections.abc import Iterable, Iterator

import keras
import numpy as np
import tensorflow as tf

from transforms.input_error import InputError

_NUMBER = np.dtype("<f4")
PART_BYTES = 32 * 2**20


def write_array(path: str, parts: Iterable[np.ndarray]) -> None:
    """Writes numbers one after the other, and nothing else.

    Args:
        path: the file, local or a URI.
        parts: float32 `[rows, ...]` each, in order.
    """
    with tf.io.gfile.GFile(path, "wb") as stream:
        for part in parts:
            stream.write(np.ascontiguousarray(part, _NUMBER).tobytes())


def write_variable(path: str, variable: keras.Variable) -> None:
    """Writes a variable as `write_array` does; a scalar as an array of one number."""
    write_array(path, _parts(variable))


def read_array(path: str, shape: tuple[int, ...]) -> Iterator[tuple[int, np.ndarray]]:
    """Reads what `write_array` wrote, of which never more than a part is held.

    Args:
        path: the file, local or a URI.
        shape: of the whole array.
    Returns:
        The number of each part's first row, and the part, float32 `[rows, ...]`.
    Raises:
        InputError: the file is missing, or not of that size.
    """
    expected = _NUMBER.itemsize * int(np.prod(shape, dtype=np.int64))
    try:
        found = tf.io.gfile.stat(path).length
    except tf.errors.NotFoundError:
        raise InputError(f"{path}: expected {expected:,} bytes of numbers, found no file") from None
    if found != expected:
        raise InputError(f"{path}: expected {expected:,} bytes of numbers, got {found:,}")
    with tf.io.gfile.GFile(path, "rb") as stream:
        for start, count in part_sizes(shape):
            rows = (count, *shape[1:])
            content = stream.read(_NUMBER.itemsize * int(np.prod(rows, dtype=np.int64)))
            yield start, np.frombuffer(content, _NUMBER).reshape(rows)


def part_sizes(shape: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """The first row and the number of rows of each part of an array."""
    row_bytes = _NUMBER.itemsize * int(np.prod(shape[1:], dtype=np.int64))
    step = max(1, PART_BYTES // max(1, row_bytes))
    for start in range(0, shape[0], step):
        yield start, min(step, shape[0] - start)


def _parts(variable: keras.Variable) -> Iterator[np.ndarray]:
    """Gathered, since TensorFlow would copy a table whole once rows of it have been written in place."""
    if not tuple(variable.shape):
        yield variable.numpy()
        return
    for start, count in part_sizes(tuple(variable.shape)):
        yield tf.gather(variable.value, tf.range(start, start + count)).numpy()
