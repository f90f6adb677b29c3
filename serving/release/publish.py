"""Brings a release into the stores that serving reads."""

import logging
import threading
import time

from serving.embedding_index.embedding_index import EmbeddingIndex
from serving.embedding_index.load_embeddings import load_embeddings
from serving.item_queue.item_queue import ItemQueue
from serving.item_store.checked_put import check_image, check_item
from serving.item_store.errors import CorruptItem
from serving.item_store.item_store import ItemStore
from serving.item_store.stored_item import StoredItem
from serving.release.catalog import read_catalog
from serving.release.healing import Healing, before_mark
from serving.release.publish_config import PublishConfig
from serving.release.published import Published
from serving.release.queued_items import QueuedItems
from serving.release.release import Release
from serving.release.requeue import requeue
from serving.release.stopped import Stopped
from transforms.input_error import InputError

# Marks of the item store, of which each names a release.
PUBLISHED_MARK = "published"
_CATALOG_MARK = "catalog"

_LOG = logging.getLogger(__name__)


def publish(
    release: Release,
    index: EmbeddingIndex,
    items: ItemStore,
    queue: ItemQueue,
    config: PublishConfig | None = None,
    stop: threading.Event | None = None,
    healing: Healing | None = None,
) -> Published:
    """Brings the catalog and its embeddings into the stores, and switches readers to the release's encoders.

    It may be repeated at any time, and writes only what is new or has changed. Items that came through the queue
    are left as they are; for a new encoder they are put into the queue again, and readers are switched once it
    has encoded them. Versions of encoders older than the release's are dropped, all but the one served before.
    The last step sets the item store's mark "published" to the release's identity.

    Args:
        release: as `Release.read` gives it.
        index, items, queue: the stores.
        config: waits and bounds.
        stop: ends it early where it is set.
        healing: of this release; its first round is a part of this, its further ones are the caller's.
    Raises:
        InputError: the release's files cannot be read, or do not fit what is in the stores.
        EmbeddingIndexError, ItemStoreError, QueueUnavailable: a store fails.
        Stopped: `stop` was set.
    """
    config, stop = config or PublishConfig(), stop or threading.Event()
    healing = healing or Healing(release, config)
    count, written, kept, refused = _put_catalog(release, items, stop)
    _LOG.info("release %d: %d items, %d of them new or changed", release.number, count, written)
    for modality, encoder in release.encoders.items():
        _check(stop)
        load_embeddings(
            index,
            str(release.embeddings),
            modality,
            encoder.version,
            encoder.fingerprint,
            unless_announced=True,
            serve=False,
        )
    queued = set()
    if _is_switch(release, index):
        queued = _encode_again(release, index, items, queue, config, stop)
    _check(stop)
    for modality, version in release.versions.items():
        _serve(index, items, modality, version)
    put, left = healing.heal(index, items, queue, stop)
    _check(stop)
    items.set_mark(PUBLISHED_MARK, release.identity)
    return Published(count, written, kept, len(queued | put), len(put) + len(left), refused)


def _put_catalog(release: Release, items: ItemStore, stop: threading.Event) -> tuple[int, int, int, int]:
    """Items of the catalog, those written, those left as a shop put them, and those that no store takes."""
    if items.mark(_CATALOG_MARK) == release.identity:
        return 0, 0, 0, 0
    # Whatever was in before is not whole any more.
    items.set_mark(_CATALOG_MARK, "incomplete")
    count = written = kept = refused = 0
    for batch, images in read_catalog(release.catalog):
        _check(stop)
        taken = [item for item in batch if _is_taken(item, images[item.item_id])]
        changed = _changed(taken, images, items)
        own = {item.item_id: images[item.item_id] for item in changed}
        stored = items.put(changed, own, of_catalog=True) if changed else 0
        count += len(batch)
        written += stored
        kept += len(changed) - stored
        refused += len(batch) - len(taken)
    items.set_mark(_CATALOG_MARK, release.identity)
    return count, written, kept, refused


def _is_taken(item: StoredItem, image: bytes | None) -> bool:
    try:
        check_item(item)
        check_image(item.item_id, image)
    except InputError as error:
        _LOG.warning("an item of the catalog is left out: %s", error)
        return False
    return True


def _changed(batch: list[StoredItem], images: dict[str, bytes | None], items: ItemStore) -> list[StoredItem]:
    """Those that the store does not have, or has other than this; all of them where an entry is broken."""
    try:
        known = items.get([item.item_id for item in batch])
    except CorruptItem as error:
        _LOG.error("items are written again: %s", error)
        return batch
    return [
        item
        for item, each in zip(batch, known, strict=True)
        if item != each or not _has_image(item.item_id, images[item.item_id], items)
    ]


def _has_image(item_id: str, image: bytes | None, items: ItemStore) -> bool:
    try:
        return items.image(item_id) == image
    except CorruptItem as error:
        _LOG.error("a picture is written again: %s", error)
        return False


def _is_switch(release: Release, index: EmbeddingIndex) -> bool:
    """Whether readers are at another version."""
    return any(
        index.served_version(modality) not in (None, version)
        for modality, version in release.versions.items()
    )


def _encode_again(
    release: Release,
    index: EmbeddingIndex,
    items: ItemStore,
    queue: ItemQueue,
    config: PublishConfig,
    stop: threading.Event,
) -> set[str]:
    """Waits until the release's encoders have encoded what shops have put; the items that were put for that."""
    deadline = time.monotonic() + config.wait_seconds
    queued = QueuedItems(index)
    queued.refresh()
    put, _ = requeue(sorted(queued.lacking(release.versions)), items, queue, config, stop, deadline)
    while (late := queued.lacking(release.versions) & put) and time.monotonic() < deadline:
        if stop.wait(config.poll_seconds):
            break
        queued.refresh()
    if late:
        names = ", ".join(f"{modality} version {version}" for modality, version in release.versions.items())
        _LOG.warning(
            "%d of %d items are not encoded by %s after %.0f s; they are without until they are",
            len(late),
            len(put),
            names,
            config.wait_seconds,
        )
    return put


def _serve(index: EmbeddingIndex, items: ItemStore, modality: str, version: str) -> None:
    before = index.served_version(modality)
    if before == version:
        return
    if before is not None:
        items.set_mark(before_mark(modality), before)
    index.serve(modality, version)


def _check(stop: threading.Event) -> None:
    if stop.is_set():
        raise Stopped
