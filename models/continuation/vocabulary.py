"""Which ids the rows of a table are of."""

import hashlib
from dataclasses import dataclass
from itertools import islice

import numpy as np
import tensorflow as tf

from transforms.input_error import InputError


@dataclass(frozen=True)
class Vocabulary:
    """The ids of a table: row 0 is of a missing one, row r of the r-th of the vocabulary; hashed rows follow.

    Attributes:
        path: a file with an id a line, local or a URI.
        size: how many there are.
    """

    path: str
    size: int

    def digest(self, count: int) -> str:
        """Names the first `count` ids and their order.

        Raises:
            InputError: there are fewer.
        """
        digest, found = hashlib.sha256(), 0
        with tf.io.gfile.GFile(self.path, "rb") as lines:
            for line in islice(lines, count):
                digest.update(line.rstrip(b"\n") + b"\n")
                found += 1
        if found < count:
            raise InputError(f"{self.path}: expected {count:,} ids or more, got {found:,}")
        return digest.hexdigest()


def grown_rows(rows: np.ndarray, size_before: int, size_now: int) -> np.ndarray:
    """Where rows of a table stand once its vocabulary has grown.

    Args:
        rows: int64 `[n]`, as they stood.
        size_before: ids of the vocabulary then.
        size_now: ids of the vocabulary now.
    Returns:
        int64 `[n]`: the missing id's and the known ids' rows stay, the hashed ones move to the new end.
    """
    return np.where(rows <= size_before, rows, rows + (size_now - size_before))
