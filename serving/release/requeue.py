"""Has the encoders encode again what came through the queue."""

import logging
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from serving.embedding_index.embedding_index import EmbeddingIndex
from serving.item_queue.errors import QueueFull
from serving.item_queue.item_queue import ItemQueue
from serving.item_queue.new_item import NewItem
from serving.item_store.item_store import ItemStore
from serving.release.publish_config import PublishConfig

_LOG = logging.getLogger(__name__)

_AT_ONCE = 1_000

Versions = Mapping[str, str]


def requeue(
    item_ids: Iterable[str],
    items: ItemStore,
    queue: ItemQueue,
    config: PublishConfig,
    stop: threading.Event,
) -> set[str]:
    """Puts items into the queue, as they are in the store.

    Args:
        item_ids: the items; one that the store does not have is left out.
        items, queue: the stores.
        config: how long a full queue is waited for.
        stop: ends it early.
    Returns:
        Those that were put.
    Raises:
        QueueFull: it stays full.
    """
    deadline = time.monotonic() + config.wait_seconds
    put = set()
    for item_id in item_ids:
        known = None
        while (stored := (items.get([item_id])[0], items.image(item_id))) != known:
            item, image = stored
            if item is None:
                break
            new = NewItem(item_id, image, item.title, item.category_id, item.shop_id, time.time())
            _put(new, queue, config, stop, deadline)
            put.add(item_id)
            # A shop that changes the item now writes the store before it comes to the queue. So once the store is
            # still the same, whatever the shop puts comes after this and counts.
            known = stored
    return put


def _put(
    item: NewItem, queue: ItemQueue, config: PublishConfig, stop: threading.Event, deadline: float
) -> None:
    while not stop.is_set():
        try:
            return queue.put(item)
        except QueueFull:
            if time.monotonic() > deadline:
                raise
        stop.wait(config.poll_seconds)


def missing(versions: Versions, item_ids: Iterable[str], index: EmbeddingIndex) -> set[str]:
    """The items that one of the versions, by modality, does not know."""
    return {
        item_id
        for batch in _batches(item_ids)
        for modality, version in versions.items()
        for item_id, is_known in zip(batch, index.known(version, modality, batch), strict=True)
        if not is_known
    }


def wait_for(
    versions: Versions,
    item_ids: set[str],
    index: EmbeddingIndex,
    config: PublishConfig,
    stop: threading.Event,
) -> set[str]:
    """Waits until versions know items; returns those that they do not know yet when the time is over."""
    deadline = time.monotonic() + config.wait_seconds
    late = item_ids
    while late and not stop.is_set() and time.monotonic() < deadline:
        stop.wait(config.poll_seconds)
        late = missing(versions, sorted(late), index)
    if late:
        names = ", ".join(f"{modality} version {version}" for modality, version in sorted(versions.items()))
        _LOG.warning(
            "%d of %d items are not encoded by %s after %.0f s; they have no vector until they are",
            len(late),
            len(item_ids),
            names,
            config.wait_seconds,
        )
    return late


def _batches(item_ids: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(item_ids)
    while batch := list(islice(rest, _AT_ONCE)):
        yield batch
