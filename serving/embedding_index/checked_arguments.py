"""Checks what callers of an index give, the same for every store."""

from collections.abc import Mapping

import numpy as np

from serving.checked_arguments import check_size, encode_id, shown
from serving.embedding_index.entry_format import encode_entry
from transforms.input_error import InputError

MAX_DIM = 4_096
# Up to here Redis, whose scores are float64, tells sequences apart.
MAX_SEQUENCE = 2**53


def encode_entries(vectors: Mapping[str, np.ndarray | None]) -> tuple[dict[bytes, bytes], int]:
    """Entries by item id as UTF-8, and the dim of their vectors, 0 where there is none.

    Raises:
        InputError: too many, an id that cannot be, or vectors that are not finite float32 of one dim.
    """
    check_size(len(vectors))
    dims = {_check_vector(item_id, vector) for item_id, vector in vectors.items() if vector is not None}
    if len(dims) > 1:
        raise InputError(f"expected vectors of one dim, got {sorted(dims)}")
    keys = {encode_id(item_id): vector for item_id, vector in vectors.items()}
    return {key: encode_entry(key, vector) for key, vector in keys.items()}, max(dims, default=0)


def agree_on_dim(modality: str, version: str, known: int, got: int) -> int:
    """The dim of a version once vectors of `got` are in it; 0 is a dim that nobody knows yet.

    Raises:
        InputError: it has vectors of another dim.
    """
    if known and got and known != got:
        raise InputError(f"{modality} version {version}: expected vectors of dim {known}, got {got}")
    return known or got


def check_feed(announce: bool, unless_announced: bool) -> None:
    """Raises InputError where a put is to announce what it leaves out."""
    if announce and unless_announced:
        raise InputError("expected announce or unless_announced, got both")


def check_after(after: int) -> None:
    """Raises InputError where no sequence of a feed can be larger."""
    if not 0 <= after < MAX_SEQUENCE:
        raise InputError(f"expected after as a change's sequence or 0, got {after}")


def unknown_version(modality: str, version: str) -> InputError:
    """The error of a version that nobody has put anything into."""
    return InputError(f"expected a version of {modality} that is in the index, got {version!r}")


def _check_vector(item_id: str, vector: np.ndarray) -> int:
    if not isinstance(vector, np.ndarray) or vector.dtype != np.float32 or vector.ndim != 1:
        shape = (
            f"{vector.dtype} {list(vector.shape)}"
            if isinstance(vector, np.ndarray)
            else type(vector).__name__
        )
        raise InputError(f"expected a vector as float32 [dim], got {shape} for item {shown(item_id)}")
    if not 1 <= len(vector) <= MAX_DIM:
        raise InputError(f"expected a vector of 1 to {MAX_DIM} numbers, got {len(vector)}")
    if not np.isfinite(vector).all():
        raise InputError(
            f"expected a vector of finite numbers, got NaN or infinity for item {shown(item_id)}"
        )
    return len(vector)
