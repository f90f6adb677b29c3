"""Goes on after an encoder was switched to, until it has encoded all that shops have put."""

import logging
import threading
import time

from serving.embedding_index.embedding_index import EmbeddingIndex
from serving.encoder_service.backoff import backoff_seconds
from serving.item_queue.item_queue import ItemQueue
from serving.item_store.item_store import ItemStore
from serving.release.publish_config import PublishConfig
from serving.release.queued_items import QueuedItems
from serving.release.release import Release
from serving.release.requeue import requeue

_LOG = logging.getLogger(__name__)

_MAX_DEAD = 10_000


def before_mark(modality: str) -> str:
    """The mark of the item store that names the version which was served before."""
    return f"before.{modality}"


class Healing:
    """Has the encoders of a release encode the items of shops that they have not encoded, for they were late.

    An item is late if it was not encoded when the release's encoder was switched to, or by another version alone
    since that encoder was not there. Once none is late, old versions are dropped: all that are older than the
    release's, but the one that was served before, which a reader may still be at.

    Args:
        release: is published, or about to be.
        config: waits, and how many items may wait in the queue.
    """

    def __init__(self, release: Release, config: PublishConfig) -> None:
        self._release, self._config = release, config
        # What was buried since is not tried again.
        self._since = time.time()
        self._late: int | None = None
        self._rounds = 0
        self._due = 0.0

    def is_due(self) -> bool:
        """Whether it is time for another round."""
        return time.monotonic() >= self._due

    def heal(
        self, index: EmbeddingIndex, items: ItemStore, queue: ItemQueue, stop: threading.Event
    ) -> tuple[set[str], set[str]]:
        """One round, which does not wait: late items come into the queue again, as far as there is room.

        Returns:
            Late items that were put, and those for which there was no room.
        Raises:
            EmbeddingIndexError, ItemStoreError, QueueUnavailable: a store fails.
        """
        queued = QueuedItems(index)
        queued.refresh()
        lacking = queued.lacking(self._release.versions)
        if lacking:
            lacking -= {letter.item_id for letter in queue.dead(_MAX_DEAD) if letter.buried_at >= self._since}
        put, left = requeue(sorted(lacking), items, queue, self._config, stop, time.monotonic())
        late = len(put) + len(left)
        if not late and not stop.is_set():
            for modality, version in self._release.versions.items():
                _drop_old(index, modality, version, items.mark(before_mark(modality)))
        self._plan(late)
        return put, left

    def _plan(self, late: int) -> None:
        """The next round: soon while there is progress, and once more where none is late, for those on the way."""
        is_over = late == 0 and self._late == 0
        has_progress = self._late is None or late < self._late
        self._rounds = 1 if has_progress else self._rounds + 1
        self._late = late
        least, most = self._config.heal_seconds, self._config.max_heal_seconds
        seconds = float("inf") if is_over else backoff_seconds(self._rounds, least, most)
        self._due = time.monotonic() + seconds


def _drop_old(index: EmbeddingIndex, modality: str, version: str, before: str | None) -> None:
    """Names that are no numbers stay."""
    for name in index.versions(modality):
        if name.isdecimal() and int(name) < int(version) and name != before:
            index.drop(modality, name)
            _LOG.info("%s version %s is dropped", modality, name)
