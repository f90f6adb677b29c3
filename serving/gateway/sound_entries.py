"""Reads in which one broken entry does not cost the others."""

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from serving.embedding_index.errors import CorruptEntry
from serving.item_store.errors import CorruptItem

_LOG = logging.getLogger(__name__)

# What a store says of one entry, while it works.
CORRUPT = (CorruptEntry, CorruptItem)

Entry = TypeVar("Entry")


def read_sound(
    read: Callable[[Sequence[str]], list[Entry | None]], item_ids: Sequence[str]
) -> list[Entry | None]:
    """Reads entries at once; if one of them is broken, each by itself, and None in place of it.

    Args:
        read: what a store has of items, None where it has nothing.
        item_ids: the items.
    """
    try:
        return read(item_ids)
    except CORRUPT as error:
        if len(item_ids) == 1:
            _LOG.error("%s", error)
            return [None]
    return [entry for item_id in item_ids for entry in read_sound(read, [item_id])]
