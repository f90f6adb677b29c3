"""How an item and its picture look in a store, the same in all of them.

    bytes 0-3   CRC-32 of the item id and all bytes from 4 on, little-endian
    then        of an item: JSON, [1, category_id, shop_id, title, features], where 1 is the format;
                of a picture: its file

The item id is in the checksum, so that what has come under another item's key is noticed too.
"""

import json
import struct
import zlib
from collections.abc import Sequence
from typing import Any

from serving.item_store.errors import CorruptItem
from serving.item_store.stored_item import StoredItem

FORMAT = 1
_CHECKSUM = struct.Struct("<I")


def encode_item(key: bytes, item: StoredItem) -> bytes:
    """The entry of an item; `key` is its id as UTF-8."""
    columns = [FORMAT, item.category_id, item.shop_id, item.title, dict(item.features)]
    return encode_image(key, json.dumps(columns, ensure_ascii=False, allow_nan=False).encode())


def decode_items(
    keys: Sequence[bytes], entries: Sequence[bytes | memoryview | None]
) -> list[StoredItem | None]:
    """The items of entries, in the keys' order; None where there is no entry.

    Raises:
        CorruptItem: an entry is not what `encode_item` wrote for its item.
    """
    pairs = zip(keys, entries, strict=True)
    texts = ["null" if entry is None else str(_checked(key, entry), "utf-8") for key, entry in pairs]
    # Parsed as one array, since hundreds of calls of the parser would take half as long again.
    rows = json.loads(f"[{','.join(texts)}]")
    return [None if row is None else _to_item(key, *row) for key, row in zip(keys, rows, strict=True)]


def encode_image(key: bytes, image: bytes) -> bytes:
    """The entry of a picture; `key` is its item's id as UTF-8."""
    return _CHECKSUM.pack(zlib.crc32(image, zlib.crc32(key))) + image


def decode_image(key: bytes, entry: bytes | memoryview) -> bytes:
    """The picture of an entry, a copy.

    Raises:
        CorruptItem: it is not what `encode_image` wrote for this item.
    """
    return bytes(_checked(key, entry))


def _to_item(key: bytes, found: int, *columns: Any) -> StoredItem:
    if found != FORMAT:
        raise _corrupt(key, f"an item of format {FORMAT}", repr(found))
    return StoredItem(key.decode(), *columns)


def _checked(key: bytes, entry: bytes | memoryview) -> bytes | memoryview:
    """What an entry has after its checksum, not copied."""
    if len(entry) < _CHECKSUM.size:
        raise _corrupt(key, f"at least {_CHECKSUM.size} bytes", f"{len(entry)}")
    checksum, body = _CHECKSUM.unpack_from(entry)[0], entry[_CHECKSUM.size :]
    actual = zlib.crc32(body, zlib.crc32(key))
    if actual != checksum:
        raise _corrupt(key, f"checksum {checksum:08x}", f"{actual:08x}")
    return body


def _corrupt(key: bytes, expected: str, got: str) -> CorruptItem:
    return CorruptItem(f"item {key.decode(errors='replace')!r}: expected {expected}, got {got}")
