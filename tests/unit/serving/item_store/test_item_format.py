"""How an item looks in a store."""

import json
import struct
import zlib

import pytest

from serving.item_store.errors import CorruptItem
from serving.item_store.item_format import decode_image, decode_items, encode_image, encode_item
from serving.item_store.stored_item import StoredItem

KEY = "ä".encode()
ITEM = StoredItem("ä", "shoes", "shop_1", None, {"price": 9.5})


def _with_checksum(body: bytes) -> bytes:
    return struct.pack("<I", zlib.crc32(KEY + body)) + body


def test_the_bytes_of_an_item() -> None:
    entry = encode_item(KEY, ITEM)
    assert json.loads(entry[4:]) == [1, "shoes", "shop_1", None, {"price": 9.5}]
    assert entry == _with_checksum(entry[4:])
    assert decode_items([KEY, b"b", KEY], [entry, None, memoryview(entry)]) == [ITEM, None, ITEM]


def test_the_bytes_of_a_picture() -> None:
    assert encode_image(KEY, b"abc") == _with_checksum(b"abc")
    assert decode_image(KEY, memoryview(_with_checksum(b"abc"))) == b"abc"


@pytest.mark.parametrize("place", range(20))
def test_a_changed_bit_is_noticed(place: int) -> None:
    entry = bytearray(encode_item(KEY, ITEM))
    entry[place] ^= 1
    with pytest.raises(CorruptItem, match="item 'ä': expected checksum"):
        decode_items([KEY], [bytes(entry)])
    with pytest.raises(CorruptItem, match="item 'ä': expected checksum"):
        decode_image(KEY, bytes(entry))


def test_what_is_another_items_or_cut_off_is_noticed() -> None:
    entry = encode_item(KEY, ITEM)
    with pytest.raises(CorruptItem, match="item 'b': expected checksum"):
        decode_items([b"b"], [entry])
    with pytest.raises(CorruptItem, match="expected checksum"):
        decode_items([KEY], [entry[:-1]])
    with pytest.raises(CorruptItem, match="expected at least 4 bytes, got 3"):
        decode_items([KEY], [entry[:3]])


def test_another_format_is_refused() -> None:
    with pytest.raises(CorruptItem, match="expected an item of format 1, got 2"):
        decode_items([KEY], [_with_checksum(b'[2, "columns of the future"]')])
