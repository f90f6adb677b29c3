import numpy as np
import pyarrow as pa
import pytest

from transforms.input_error import InputError
from transforms.record_batches import concat, pack, sort_rows, split_by, stable_hash, times, unpack


def test_a_packed_slice_is_its_own_rows_alone() -> None:
    batch = pa.RecordBatch.from_pydict({"text": ["x" * 1000] * 1000, "number": list(range(1000))})
    packed = pack(batch.slice(10, 2))
    # Two rows of a thousand letters, far below the megabyte of the whole.
    assert len(packed) < 5_000
    assert unpack(packed).to_pydict() == {"text": ["x" * 1000] * 2, "number": [10, 11]}


def test_packed_nulls_and_lists_of_a_slice_stay() -> None:
    batch = pa.RecordBatch.from_pydict(
        {"items": [["a"], None, ["b", None], []], "flag": [True, None, False, True]}
    )
    assert unpack(pack(batch.slice(1, 3))).to_pydict() == {
        "items": [None, ["b", None], []],
        "flag": [None, False, True],
    }


def test_an_empty_batch_is_packed() -> None:
    batch = pa.RecordBatch.from_pydict({"a": pa.array([], pa.string())})
    assert unpack(pack(batch)).equals(batch)


def test_hashes_have_known_values() -> None:
    # Recorded once: shards and the pairs that training has are told by them on all workers, whatever their
    # versions, and Python's own hash differs from process to process.
    hashes = stable_hash(pa.array(["ann", "ü", "ann", None, ""]))
    assert hashes[:3].tolist() == [15203920426015911114, 6689755093696353227, 15203920426015911114]
    assert hashes[3] == hashes[4]
    assert hashes.dtype == "uint64"


def test_bytes_with_zeros_hash_apart() -> None:
    hashes = stable_hash(pa.array([b"a", b"a\0", b"a\0b", b""]))
    assert len(set(hashes.tolist())) == 4


def test_hashes_of_a_slice_and_of_nothing() -> None:
    values = pa.array(["ann", "bob", "cem"])
    assert stable_hash(values.slice(1)).tolist() == stable_hash(values).tolist()[1:]
    assert stable_hash(pa.array([], pa.string())).tolist() == []


def test_split_by_keeps_the_order_within_a_key() -> None:
    batch = pa.RecordBatch.from_pydict({"n": [0, 1, 2, 3, 4]})
    parts = {
        key: part.column("n").to_pylist()
        for key, part in split_by(batch, pa.array([7, 2, 7, 2, 7]).to_numpy())
    }
    assert parts == {2: [1, 3], 7: [0, 2, 4]}


def test_sort_by_two_columns() -> None:
    batch = pa.RecordBatch.from_pydict({"a": [2, 1, 2], "b": ["x", "z", "a"]})
    assert sort_rows(batch, ["a", "b"]).to_pydict() == {"a": [1, 2, 2], "b": ["z", "a", "x"]}


def test_times_are_microseconds() -> None:
    assert times(pa.array([-1, 0, 1_000_000], pa.timestamp("us", tz="UTC"))).tolist() == [-1, 0, 1_000_000]


def test_concat_of_nothing_has_the_schema() -> None:
    schema = pa.schema([("a", pa.string())])
    assert concat([], schema).schema == schema
    assert (
        concat([pa.RecordBatch.from_pydict({"a": ["x"]}), pa.RecordBatch.from_pydict({"a": ["y"]})]).num_rows
        == 2
    )


def test_more_than_a_batch_can_hold_is_an_error_and_loses_no_row() -> None:
    # An Arrow array of bytes holds two gigabytes; these zeros are memory that is never touched.
    length = 1_100_000_000
    buffers = [None, pa.py_buffer(np.array([0, length], np.int32)), pa.py_buffer(np.zeros(length, np.uint8))]
    batch = pa.RecordBatch.from_arrays([pa.Array.from_buffers(pa.binary(), 1, buffers)], ["image"])
    assert concat([batch]).num_rows == 1
    with pytest.raises(InputError, match="rows_per_file"):
        concat([batch, batch])
