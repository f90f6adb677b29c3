"""Has the encoders encode again what came through the queue."""

import logging
import threading
import time
from collections import deque
from collections.abc import Iterable

from serving.item_queue.errors import QueueFull
from serving.item_queue.item_queue import ItemQueue
from serving.item_queue.new_item import NewItem
from serving.item_store.errors import CorruptItem
from serving.item_store.item_store import ItemStore
from serving.item_store.stored_item import StoredItem
from serving.release.publish_config import PublishConfig

_LOG = logging.getLogger(__name__)


def requeue(
    item_ids: Iterable[str],
    items: ItemStore,
    queue: ItemQueue,
    config: PublishConfig,
    stop: threading.Event,
    deadline: float,
) -> tuple[set[str], set[str]]:
    """Puts items into the queue, as they are in the store, as long as it leaves room for those of shops.

    Args:
        item_ids: the items; one that the store does not have, or whose entry is broken, is left out.
        items, queue: the stores.
        config: how many items may wait in the queue.
        stop: ends it early.
        deadline: until when room is waited for, as of `time.monotonic`.
    Returns:
        Those that were put, and those for which there was no room.
    """
    put: set[str] = set()
    left = deque(item_ids)
    while left and not stop.is_set():
        try:
            if queue.waiting() < config.max_waiting:
                if _put(left[0], items, queue):
                    put.add(left[0])
                left.popleft()
                continue
        except QueueFull as error:
            _LOG.debug("%r has to wait: %s", left[0], error)
        if time.monotonic() >= deadline:
            break
        stop.wait(config.poll_seconds)
    return put, set(left)


def _put(item_id: str, items: ItemStore, queue: ItemQueue) -> bool:
    """Puts an item as it is in the store; whether there is one."""
    known = None
    while (stored := _read(item_id, items)) != known:
        if stored is None:
            break
        item, image = stored
        queue.put(NewItem(item_id, image, item.title, item.category_id, item.shop_id, time.time()))
        # A shop that changes the item now writes the store before it comes to the queue. So once the store is
        # still the same, whatever the shop puts comes after this and counts.
        known = stored
    return known is not None


def _read(item_id: str, items: ItemStore) -> tuple[StoredItem, bytes | None] | None:
    try:
        (item,) = items.get([item_id])
        return None if item is None else (item, items.image(item_id))
    except CorruptItem as error:
        _LOG.error("%s; it is not encoded again", error)
        return None
