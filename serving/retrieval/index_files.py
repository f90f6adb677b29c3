"""Item ids and their vectors, in memory and in files."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from transforms.input_error import InputError

ITEMS_FILE, VECTORS_FILE = "items.parquet", "vectors.npy"
_SCHEMA = pa.schema([pa.field("item_id", pa.string(), nullable=False)])

# Item ids as callers have them.
ItemIds: TypeAlias = Sequence[str] | np.ndarray | pa.Array | pa.ChunkedArray


def check_items(
    item_ids: ItemIds, vectors: np.ndarray, dim: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Item ids as an object array of str, `[items]`, and contiguous float32 vectors, `[items, dim]`.

    Raises:
        InputError: ids that are no text or stand twice, a vector too many or too few or of another length than `dim`,
            a number that is not finite.
    """
    ids = _as_texts(item_ids)
    vectors = np.asarray(vectors)
    if (
        vectors.ndim != 2
        or len(vectors) != len(ids)
        or vectors.shape[1] < 1
        or dim not in (None, vectors.shape[1])
    ):
        wanted = f"[{len(ids)}, {dim or 'dim'}]"
        raise InputError(f"expected item vectors of shape {wanted}, got {list(vectors.shape)}")
    if vectors.dtype != np.float32:
        raise InputError(f"expected item vectors of float32, got {vectors.dtype}")
    if not np.isfinite(vectors).all():
        raise InputError("expected item vectors of finite numbers, got NaN or infinity")
    if len(set(ids)) < len(ids):
        raise InputError(
            f"expected distinct item ids, got {len(ids) - len(set(ids))} doubles among {len(ids)}"
        )
    return ids, np.ascontiguousarray(vectors)


def write_items(folder: Path, item_ids: np.ndarray, vectors: np.ndarray, prefix: str = "") -> None:
    """Writes `items.parquet` and `vectors.npy`, with a prefix before their names."""
    table = pa.table({"item_id": pa.array(item_ids, pa.string())}, schema=_SCHEMA)
    pq.write_table(table, folder / f"{prefix}{ITEMS_FILE}", compression="zstd")
    np.save(folder / f"{prefix}{VECTORS_FILE}", vectors, allow_pickle=False)


def read_items(folder: Path, dim: int, max_items: int, prefix: str = "") -> tuple[np.ndarray, np.ndarray]:
    """Reads what `write_items` wrote; the vectors stay in their file, memory-mapped.

    Raises:
        InputError: a file is missing or broken, they do not belong together, or hold more than `max_items`.
    """
    vectors = _read_vectors(folder / f"{prefix}{VECTORS_FILE}", dim)
    if len(vectors) > max_items:
        raise InputError(f"{folder}: expected at most {max_items} {prefix}items, got {len(vectors)} vectors")
    path = folder / f"{prefix}{ITEMS_FILE}"
    try:
        with pq.ParquetFile(path) as file:
            if file.schema_arrow.names != _SCHEMA.names or file.metadata.num_rows != len(vectors):
                raise InputError(f"{file.metadata.num_rows} rows of {file.schema_arrow.names}")
            ids = _as_texts(file.read()["item_id"])
    except (OSError, ValueError, pa.ArrowException) as error:
        raise InputError(f"{path}: expected {len(vectors)} item ids, got {error}") from error
    return ids, vectors


def _read_vectors(path: Path, dim: int) -> np.ndarray:
    try:
        # Unlike `np.load` it takes neither archives nor pickled objects, whatever the file is.
        vectors = np.lib.format.open_memmap(path, mode="r")
    # The header is a Python literal, which may be broken in many ways.
    except (OSError, ValueError, TypeError, SyntaxError, ArithmeticError, RecursionError) as error:
        raise InputError(f"{path}: expected an array of vectors, got {error}") from error
    found = f"{vectors.dtype} {list(vectors.shape)}"
    if (
        vectors.dtype != np.float32
        or vectors.ndim != 2
        or vectors.shape[1] != dim
        or not vectors.flags.c_contiguous
    ):
        raise InputError(f"{path}: expected float32 [items, {dim}], row by row, got {found}")
    return vectors


def _as_texts(item_ids: ItemIds) -> np.ndarray:
    """An object array of str.

    Raises:
        InputError: something that is no text.
    """
    try:
        column = (
            pa.array(item_ids, pa.string())
            if not isinstance(item_ids, pa.Array | pa.ChunkedArray)
            else item_ids
        )
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise InputError(f"expected item ids as text, got {error}") from error
    if column.null_count or not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise InputError(f"expected item ids as text, got {column.type} with {column.null_count} nulls")
    return column.to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.to_numpy()
