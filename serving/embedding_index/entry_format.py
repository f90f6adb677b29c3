"""How an entry looks in a store, the same in all of them.

    bytes 0-3   CRC-32 of the item id and all bytes from 4 on
    bytes 4-5   format, 1
    bytes 6-7   dim; 0: the item has no content
    then        the vector, float32 `[dim]`

All numbers are little-endian. The item id is in the checksum, so that an entry that has come under another
item's key is noticed too.
"""

import logging
import struct
import zlib
from collections.abc import Iterable

import numpy as np

from serving.embedding_index.errors import CorruptEntry

_LOG = logging.getLogger(__name__)

FORMAT = 1
_CHECKSUM, _HEADER = struct.Struct("<I"), struct.Struct("<IHH")
_NUMBER = np.dtype("<f4")


def encode_entry(key: bytes, vector: np.ndarray | None) -> bytes:
    """The entry of an item.

    Args:
        key: the item id as UTF-8.
        vector: float32 `[dim]` of fewer than 65,536 numbers; None for no content.
    """
    numbers = b"" if vector is None else vector.astype(_NUMBER, copy=False).tobytes()
    unchecked = _HEADER.pack(0, FORMAT, 0 if vector is None else len(vector)) + numbers
    return _CHECKSUM.pack(_checksum(key, unchecked)) + unchecked[_CHECKSUM.size :]


def decode_entry(key: bytes, entry: bytes | memoryview) -> np.ndarray | None:
    """The vector of an entry, a copy, float32 `[dim]`; None for no content.

    Raises:
        CorruptEntry: it is not what `encode_entry` wrote for this item.
    """
    size = len(entry)
    if size < _HEADER.size:
        raise _corrupt(key, f"at least {_HEADER.size} bytes", f"{size}")
    checksum, found, dim = _HEADER.unpack_from(entry)
    if found != FORMAT:
        raise _corrupt(key, f"an entry of format {FORMAT}", f"{found}")
    if size != _HEADER.size + dim * _NUMBER.itemsize:
        raise _corrupt(key, f"{_HEADER.size + dim * _NUMBER.itemsize} bytes for dim {dim}", f"{size}")
    if _checksum(key, entry) != checksum:
        raise _corrupt(key, f"checksum {checksum:08x}", f"{_checksum(key, entry):08x}")
    return np.frombuffer(entry, _NUMBER, offset=_HEADER.size).copy() if dim else None


def decode_whole(entries: Iterable[tuple[bytes, bytes]]) -> tuple[list[str], list[np.ndarray | None]]:
    """Those of many entries that are whole: whoever reads a whole version goes on without a broken one.

    Args:
        entries: item ids as UTF-8, and their entries.
    Returns:
        The item ids, and the vector of each. A broken entry is in the log instead.
    """
    item_ids: list[str] = []
    vectors: list[np.ndarray | None] = []
    for key, entry in entries:
        try:
            vectors.append(decode_entry(key, entry))
        except CorruptEntry as error:
            _LOG.error("left out of what is read: %s", error)
        else:
            item_ids.append(key.decode())
    return item_ids, vectors


def _checksum(key: bytes, entry: bytes | memoryview) -> int:
    return zlib.crc32(entry[_CHECKSUM.size :], zlib.crc32(key))


def _corrupt(key: bytes, expected: str, got: str) -> CorruptEntry:
    return CorruptEntry(f"item {key.decode(errors='replace')!r}: expected {expected}, got {got}")
