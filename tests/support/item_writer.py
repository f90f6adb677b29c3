"""A process that writes batches into an item store, to be killed.

    python item_writer.py FOLDER|URL FIRST_BATCH

Says on stdout the number of each batch once it is acknowledged.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from serving.item_store.item_store import ItemStore
from serving.item_store.open_item_store import open_item_store
from serving.item_store.stored_item import StoredItem

BATCH = 100


def make_batch(number: int) -> tuple[list[StoredItem], dict[str, bytes | None]]:
    """The items of a batch and their pictures, which say whose they are; every seventh has none."""
    items = [
        StoredItem(f"{number}-{part}", "shoes", "", f"{number}", {"part": part}) for part in range(BATCH)
    ]
    pictures = {
        item.item_id: item.item_id.encode() * 100 if place % 7 else None for place, item in enumerate(items)
    }
    return items, pictures


def count_stored(store: ItemStore, number: int) -> int:
    """How many items of a batch are stored as they were put, with their pictures."""
    items, pictures = make_batch(number)
    found = store.get([item.item_id for item in items])
    return sum(
        item == stored and store.image(item.item_id) == pictures[item.item_id]
        for item, stored in zip(items, found, strict=True)
    )


def main(arguments: Sequence[str]) -> None:
    """Writes until it is killed."""
    place, first = arguments
    store = open_item_store(place)
    number = int(first)
    while True:
        store.put(*make_batch(number))
        print(number, flush=True)
        number += 1


if __name__ == "__main__":
    main(sys.argv[1:])
