"""Brings a release into the stores that serving reads."""

import logging
import threading

from serving.embedding_index.embedding_index import EmbeddingIndex
from serving.embedding_index.load_embeddings import load_embeddings
from serving.item_queue.item_queue import ItemQueue
from serving.item_store.item_store import ItemStore
from serving.release.catalog import read_catalog
from serving.release.publish_config import PublishConfig
from serving.release.published import Published
from serving.release.queued_items import QueuedItems
from serving.release.release import Release
from serving.release.requeue import missing, requeue, wait_for
from serving.release.stopped import Stopped

_LOG = logging.getLogger(__name__)


def publish(
    release: Release,
    index: EmbeddingIndex,
    items: ItemStore,
    queue: ItemQueue,
    config: PublishConfig | None = None,
    stop: threading.Event | None = None,
) -> Published:
    """Brings the catalog and its embeddings into the stores, and switches readers to the release's encoders.

    It may be repeated at any time, and writes only what is new or has changed. Items that came through the queue
    are left as they are; for a new encoder they are put into the queue again, and readers are switched once it
    has encoded them. Versions of encoders older than the release's are dropped, all but the latest of them.

    Args:
        release: as `Release.read` gives it.
        index, items, queue: the stores.
        config: waits.
        stop: ends it early where it is set.
    Raises:
        InputError: the release's files cannot be read, or do not fit what is in the stores.
        EmbeddingIndexError, ItemStoreError, QueueUnavailable: a store fails.
        Stopped: `stop` was set.
    """
    config, stop = config or PublishConfig(), stop or threading.Event()
    queued = QueuedItems(index)
    queued.refresh()
    before = set(queued)
    count, written, kept = _put_catalog(release.catalog, items, stop)
    _LOG.info("release %d: %d items, %d of them new or changed", release.number, count, written)
    for modality, encoder in release.encoders.items():
        _check(stop)
        load_embeddings(
            index,
            str(release.embeddings),
            modality,
            encoder.version,
            encoder.fingerprint,
            skip=queued,
            serve=False,
        )
    queued.refresh()
    versions = _versions_to_serve(release, index)
    lacking = missing(versions, queued, index)
    # A catalog's vector may have replaced that of an item which came in the meantime.
    again = requeue(sorted(lacking | (set(queued) - before)), items, queue, config, stop)
    late = wait_for(versions, lacking & again, index, config, stop)
    _check(stop)
    for modality, encoder in release.encoders.items():
        index.serve(modality, encoder.version)
        _drop_old(index, modality, encoder.version)
    return Published(count, written, kept, len(again), len(late))


def _put_catalog(folder: str, items: ItemStore, stop: threading.Event) -> tuple[int, int, int]:
    """Items of the catalog, those written, and those left as a shop put them."""
    count = written = kept = 0
    for batch, images in read_catalog(folder):
        _check(stop)
        changed = [
            item
            for item, known in zip(batch, items.get([item.item_id for item in batch]), strict=True)
            if item != known or items.image(item.item_id) != images[item.item_id]
        ]
        stored = 0
        if changed:
            own = {item.item_id: images[item.item_id] for item in changed}
            stored = items.put(changed, own, of_catalog=True)
        count += len(batch)
        written += stored
        kept += len(changed) - stored
    return count, written, kept


def _versions_to_serve(release: Release, index: EmbeddingIndex) -> dict[str, str]:
    """By modality, the versions that readers are to be switched to."""
    wanted = {modality: encoder.version for modality, encoder in release.encoders.items()}
    return {
        modality: version
        for modality, version in wanted.items()
        if index.served_version(modality) not in (None, version)
    }


def _drop_old(index: EmbeddingIndex, modality: str, version: str) -> None:
    """Keeps the latest of the older versions, which a reader may still be at; names that are no numbers stay."""
    older = sorted(
        int(name) for name in index.versions(modality) if name.isdecimal() and int(name) < int(version)
    )
    for each in older[:-1]:
        index.drop(modality, str(each))
        _LOG.info("%s version %d is dropped", modality, each)


def _check(stop: threading.Event) -> None:
    if stop.is_set():
        raise Stopped
