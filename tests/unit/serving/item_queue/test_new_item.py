"""What an item may be."""

import pytest

from serving.item_queue.new_item import NewItem
from transforms.input_error import InputError

GOOD = {
    "item_id": "a",
    "image": b"x",
    "title": "t",
    "category_id": "c",
    "shop_id": "s",
    "introduced_at": 1.0,
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"item_id": ""}, "item_id: expected 1 to 256 bytes, got 0"),
        ({"item_id": "ü" * 129}, "item_id: expected 1 to 256 bytes, got 258"),
        ({"item_id": "a\ud800"}, "item_id: expected a text that UTF-8 can hold"),
        ({"item_id": "a\0b"}, "item_id: expected no zero byte"),
        ({"category_id": "c" * 257}, "category_id: expected 0 to 256 bytes, got 257"),
        ({"shop_id": "c" * 257}, "shop_id: expected 0 to 256 bytes, got 257"),
        ({"title": "t" * 16_385}, "title: expected 0 to 16384 bytes, got 16385"),
        ({"image": bytes(20_000_001)}, "image: expected at most 20000000 bytes, got 20000001"),
        ({"introduced_at": float("nan")}, "introduced_at: expected a finite time, got nan"),
    ],
)
def test_refuses(change, message):
    with pytest.raises(InputError, match=message):
        NewItem(**(GOOD | change))


def test_what_encoders_get():
    assert NewItem(**GOOD).content("image") == b"x"
    assert NewItem(**GOOD | {"title": "grün"}).content("text") == b"gr\xc3\xbcn"
    for empty in (None, b""):
        assert NewItem(**GOOD | {"image": empty}).content("image") is None
    for blank in (None, "", " \n"):
        assert NewItem(**GOOD | {"title": blank}).content("text") is None


def test_its_size_is_that_of_its_content_in_bytes():
    assert NewItem(**GOOD | {"title": "grün", "image": bytes(7)}).size == 5 + 7
    assert NewItem(**GOOD | {"title": None, "image": None}).size == 0
