"""The bytes of an entry."""

import struct
import zlib

import numpy as np
import pytest

from serving.embedding_index.entry_format import decode_entry, encode_entry
from serving.embedding_index.errors import CorruptEntry


def test_the_bytes_of_a_vector() -> None:
    # Format 1, dim 2; 1.0 is 0x3f800000 and -2.0 is 0xc0000000.
    checked = bytes.fromhex("0100 0200 0000803f 000000c0")
    checksum = struct.pack("<I", zlib.crc32(b"item" + checked))
    assert encode_entry(b"item", np.array([1, -2], np.float32)) == checksum + checked


def test_the_bytes_of_no_content() -> None:
    checked = bytes.fromhex("0100 0000")
    assert encode_entry(b"item", None) == struct.pack("<I", zlib.crc32(b"item" + checked)) + checked
    assert decode_entry(b"item", encode_entry(b"item", None)) is None


def test_every_number_comes_back() -> None:
    vector = np.array([0.0, -0.0, 1e-45, 3.4028235e38, 1 / 3], np.float32)
    entry = memoryview(b"x" + encode_entry(b"item", vector))[1:]  # at an odd address
    assert decode_entry(b"item", entry).tobytes() == vector.tobytes()


def test_every_flipped_bit_is_noticed() -> None:
    for vector in (None, np.array([1.5, -3], np.float32)):
        entry = encode_entry(b"item", vector)
        for bit in range(8 * len(entry)):
            broken = bytearray(entry)
            broken[bit // 8] ^= 1 << bit % 8
            with pytest.raises(CorruptEntry, match="item 'item': expected"):
                decode_entry(b"item", bytes(broken))


def test_every_other_length_is_noticed() -> None:
    entry = encode_entry(b"item", np.array([1.5, -3], np.float32))
    for broken in (*(entry[:length] for length in range(len(entry))), entry + b"\0", entry + b"\0" * 4):
        with pytest.raises(CorruptEntry):
            decode_entry(b"item", broken)


def test_another_items_entry_is_noticed() -> None:
    with pytest.raises(CorruptEntry, match="item 'b': expected checksum"):
        decode_entry(b"b", encode_entry(b"a", np.ones(3, np.float32)))


def test_a_later_format_is_noticed() -> None:
    entry = encode_entry(b"a", None)
    with pytest.raises(CorruptEntry, match="expected an entry of format 1, got 2"):
        decode_entry(b"a", entry[:4] + b"\2" + entry[5:])
