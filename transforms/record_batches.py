"""Small vectorized operations on Arrow record batches, the elements of every collection here."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from transforms.input_error import InputError

# Less to move and to keep, in no more time: ids and places repeat.
_SHUFFLED = pa.ipc.IpcWriteOptions(compression="lz4")


def pack(batch: pa.RecordBatch) -> bytes:
    """Serializes a batch for a shuffle, a slice as its own rows alone (pickling would carry its parent)."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=_SHUFFLED) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def unpack(packed: bytes) -> pa.RecordBatch:
    """Reads what `pack` wrote."""
    with pa.ipc.open_stream(packed) as reader:
        return reader.read_next_batch()


def concat(batches: Iterable[pa.RecordBatch], schema: pa.Schema | None = None) -> pa.RecordBatch:
    """Joins batches of one schema into one; without any, an empty batch of `schema`.

    Raises:
        InputError: a column has more than the two gigabytes of text or pictures that one batch can hold.
    """
    table = pa.Table.from_batches(list(batches), schema=schema).combine_chunks()
    joined = table.to_batches()
    if len(joined) > 1:
        raise InputError(
            f"a shard has {table.nbytes:,} bytes of text and pictures, and at most 2 GB fit; lower ingest.rows_per_file"
        )
    return joined[0] if joined else pa.RecordBatch.from_pylist([], schema=table.schema)


def stable_hash(values: pa.Array) -> np.ndarray:
    """Hashes strings or bytes the same in every process. Returns uint64 `[n]`; null hashes as empty."""
    encoded = pc.dictionary_encode(
        pc.fill_null(values, pa.scalar(b"" if _is_bytes(values) else "", values.type))
    )
    unique = encoded.dictionary.to_numpy(zero_copy_only=False)
    hashes = pd.util.hash_array(unique, categorize=False) if len(unique) else np.empty(0, np.uint64)
    return hashes[encoded.indices.to_numpy()]


def split_by(batch: pa.RecordBatch, keys: np.ndarray) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yields the rows of each key, in their order. `keys` is an integer array `[rows]`."""
    order = np.argsort(keys, kind="stable")
    unique, starts = np.unique(keys[order], return_index=True)
    ends = np.append(starts[1:], len(keys))
    ordered = batch.take(pa.array(order))
    for key, start, end in zip(unique, starts, ends, strict=True):
        yield int(key), ordered.slice(start, end - start)


def times(column: pa.Array) -> np.ndarray:
    """Microseconds since 1970-01-01 UTC, int64 `[n]`; the column has no nulls."""
    return column.cast(pa.int64()).to_numpy()


def sort_rows(batch: pa.RecordBatch, columns: Sequence[str]) -> pa.RecordBatch:
    """Sorts a batch by columns, ascending, the first the most significant."""
    return batch.take(pc.sort_indices(batch, sort_keys=[(column, "ascending") for column in columns]))


def _is_bytes(values: pa.Array) -> bool:
    return pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type)
