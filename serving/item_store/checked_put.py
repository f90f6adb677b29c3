"""Checks what is put into an item store, the same for every store."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from serving.checked_arguments import MAX_ID_BYTES, check_names, check_size, check_text, shown
from serving.item_queue.new_item import MAX_IMAGE_BYTES, MAX_TITLE_BYTES
from serving.item_store.item_format import encode_image, encode_item
from serving.item_store.stored_item import StoredItem
from transforms.input_error import InputError

MAX_FEATURES = 256
MAX_PUT_BYTES = 128 * 2**20
MAX_MARK_BYTES = 256


@dataclass(frozen=True)
class EncodedItem:
    """An item as a store keeps it.

    Attributes:
        key: its id as UTF-8.
        entry: of the item.
        has_new_image: whether its picture is replaced, or removed where `image` is None.
        image: the entry of its picture.
    """

    key: bytes
    entry: bytes
    has_new_image: bool
    image: bytes | None


def encode_put(items: Sequence[StoredItem], images: Mapping[str, bytes | None]) -> list[EncodedItem]:
    """The items of a put, sorted by key.

    Raises:
        InputError: see `ItemStore.put`.
    """
    check_size(len(items))
    for item in items:
        check_item(item)
    item_ids = {item.item_id for item in items}
    if len(item_ids) < len(items):
        raise InputError(f"expected items with distinct ids, got {len(items)} with {len(item_ids)} ids")
    for item_id, image in images.items():
        if item_id not in item_ids:
            raise InputError(f"expected pictures of the items that are put, got one of {shown(item_id)}")
        check_image(item_id, image)
    encoded = sorted((_encode(item, images) for item in items), key=lambda each: each.key)
    size = sum(len(each.entry) + len(each.image or b"") for each in encoded)
    if size > MAX_PUT_BYTES:
        raise InputError(f"expected items of at most {MAX_PUT_BYTES} bytes a put, got {size}")
    return encoded


def encode_mark(name: str, value: str) -> tuple[bytes, bytes]:
    """A mark's name and value as UTF-8.

    Raises:
        InputError: see `ItemStore.set_mark`.
    """
    check_names(name=name)
    check_text(f"mark {name}", value, 1, MAX_MARK_BYTES)
    return name.encode(), value.encode()


def _encode(item: StoredItem, images: Mapping[str, bytes | None]) -> EncodedItem:
    key = item.item_id.encode()
    image = images.get(item.item_id)
    return EncodedItem(
        key,
        encode_item(key, item),
        item.item_id in images,
        None if image is None else encode_image(key, image),
    )


def check_item(item: StoredItem) -> None:
    """Raises InputError where an item is beyond the bounds of `ItemStore.put`."""
    check_text("item_id", item.item_id, 1, MAX_ID_BYTES)
    what = f"item {shown(item.item_id)}"
    check_text(f"{what}: category_id", item.category_id, 0, MAX_ID_BYTES)
    check_text(f"{what}: shop_id", item.shop_id, 0, MAX_ID_BYTES)
    if item.title is not None:
        check_text(f"{what}: title", item.title, 0, MAX_TITLE_BYTES)
    if len(item.features) > MAX_FEATURES:
        raise InputError(f"{what}: expected at most {MAX_FEATURES} features, got {len(item.features)}")
    for name, value in item.features.items():
        check_text(f"{what}: name of a feature", name, 1, MAX_ID_BYTES)
        _check_feature(f"{what}: feature {shown(name)}", value)


def _check_feature(what: str, value: str | float) -> None:
    if isinstance(value, str):
        check_text(what, value, 0, MAX_TITLE_BYTES)
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{what}: expected a text or a number, got {type(value).__name__}")
    elif isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise InputError(f"{what}: expected a whole number of 64 bits, got {value.bit_length()} bits")
    elif not math.isfinite(value):
        raise InputError(f"{what}: expected a finite number, got {value}")


def check_image(item_id: str, image: bytes | None) -> None:
    """Raises InputError where an item's picture is beyond the bounds of `ItemStore.put`."""
    if image is not None and not isinstance(image, bytes):
        raise InputError(f"item {shown(item_id)}: expected a picture as bytes, got {type(image).__name__}")
    if image is not None and not 1 <= len(image) <= MAX_IMAGE_BYTES:
        raise InputError(
            f"item {shown(item_id)}: expected a picture of 1 to {MAX_IMAGE_BYTES} bytes, got {len(image)}"
        )
