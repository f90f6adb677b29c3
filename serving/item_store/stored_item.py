"""What is known of an item besides its vectors."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class StoredItem:
    """An item as its shop describes it, without its picture; `ItemStore.put` checks it.

    Attributes:
        item_id: 1 to 256 bytes of UTF-8.
        category_id: 0 to 256 bytes.
        shop_id: 0 to 256 bytes.
        title: at most 16,384 bytes; None where there is none.
        features: at most 256 of the other columns, by name: a text of at most 16,384 bytes, a finite number or
            a whole number of 64 bits. A missing value is left out.
    """

    item_id: str
    category_id: str
    shop_id: str
    title: str | None
    features: Mapping[str, str | float]
