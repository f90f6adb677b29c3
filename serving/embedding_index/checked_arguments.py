"""Checks what callers of an index give, the same for every store."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from serving.embedding_index.entry_format import encode_entry
from transforms.input_error import InputError

MAX_ID_BYTES = 256
MAX_BATCH = 10_000
MAX_DIM = 4_096
_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,128}")


def check_names(**names: str) -> None:
    """Checks names that become parts of keys, given as `modality=modality`.

    Raises:
        InputError: one is too long, empty, or has other signs than letters, digits, "_", "-", "." and ":".
    """
    for what, name in names.items():
        if not (isinstance(name, str) and _NAME.fullmatch(name)):
            raise InputError(
                f"expected a {what} of 1 to 128 letters, digits, '_', '-', '.' or ':', got {_shown(name)}"
            )


def encode_ids(item_ids: Sequence[str]) -> list[bytes]:
    """Item ids as UTF-8.

    Raises:
        InputError: too many, or one that is no text, empty or too long.
    """
    _check_size(len(item_ids))
    return [_encode_id(item_id) for item_id in item_ids]


def encode_entries(vectors: Mapping[str, np.ndarray | None]) -> tuple[dict[bytes, bytes], int]:
    """Entries by item id as UTF-8, and the dim of their vectors, 0 where there is none.

    Raises:
        InputError: too many, an id that cannot be, or vectors that are not finite float32 of one dim.
    """
    _check_size(len(vectors))
    dims = {_check_vector(item_id, vector) for item_id, vector in vectors.items() if vector is not None}
    if len(dims) > 1:
        raise InputError(f"expected vectors of one dim, got {sorted(dims)}")
    keys = {_encode_id(item_id): vector for item_id, vector in vectors.items()}
    return {key: encode_entry(key, vector) for key, vector in keys.items()}, max(dims, default=0)


def agree_on_dim(modality: str, version: str, known: int, got: int) -> int:
    """The dim of a version once vectors of `got` are in it; 0 is a dim that nobody knows yet.

    Raises:
        InputError: it has vectors of another dim.
    """
    if known and got and known != got:
        raise InputError(f"{modality} version {version}: expected vectors of dim {known}, got {got}")
    return known or got


def unknown_version(modality: str, version: str) -> InputError:
    """The error of a version that nobody has put anything into."""
    return InputError(f"expected a version of {modality} that is in the index, got {version!r}")


def _check_size(size: int) -> None:
    if size > MAX_BATCH:
        raise InputError(f"expected at most {MAX_BATCH} items a call, got {size}")


def _encode_id(item_id: str) -> bytes:
    if not isinstance(item_id, str):
        raise InputError(f"expected item ids as text, got {type(item_id).__name__}")
    try:
        key = item_id.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"expected an item id that is text, got {_shown(item_id)}") from error
    if not 1 <= len(key) <= MAX_ID_BYTES:
        raise InputError(
            f"expected an item id of 1 to {MAX_ID_BYTES} bytes, got {len(key)}: {_shown(item_id)}"
        )
    return key


def _check_vector(item_id: str, vector: np.ndarray) -> int:
    if not isinstance(vector, np.ndarray) or vector.dtype != np.float32 or vector.ndim != 1:
        shape = (
            f"{vector.dtype} {list(vector.shape)}"
            if isinstance(vector, np.ndarray)
            else type(vector).__name__
        )
        raise InputError(f"expected a vector as float32 [dim], got {shape} for item {_shown(item_id)}")
    if not 1 <= len(vector) <= MAX_DIM:
        raise InputError(f"expected a vector of 1 to {MAX_DIM} numbers, got {len(vector)}")
    if not np.isfinite(vector).all():
        raise InputError(
            f"expected a vector of finite numbers, got NaN or infinity for item {_shown(item_id)}"
        )
    return len(vector)


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
