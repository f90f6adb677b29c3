"""Publishes releases as they come."""

import logging
import os
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from serving.embedding_index.embedding_index import EmbeddingIndex
from serving.embedding_index.errors import EmbeddingIndexError
from serving.embedding_index.open_embedding_index import open_embedding_index
from serving.encoder_service.backoff import backoff_seconds
from serving.item_queue.errors import QueueFull, QueueUnavailable
from serving.item_queue.item_queue import ItemQueue
from serving.item_queue.open_item_queue import open_item_queue
from serving.item_store.errors import ItemStoreError
from serving.item_store.item_store import ItemStore
from serving.item_store.open_item_store import open_item_store
from serving.release.healing import Healing
from serving.release.publish import publish
from serving.release.publish_config import PublishConfig
from serving.release.release import Release
from serving.release.stopped import Stopped
from transforms.input_error import InputError

_LOG = logging.getLogger(__name__)

# What passes by itself, or once an operator has mended it.
_OUTAGES = (EmbeddingIndexError, ItemStoreError, QueueUnavailable, QueueFull)


class Publisher:
    """Brings the release that a file names into the stores; use it in a `with`.

    Args:
        release: the file.
        index: address of the embedding index.
        items: of the item store.
        queue: of the queue.
        ready_file: gets the number of each release once it is published; None: nobody is told.
        config: waits.
    """

    def __init__(
        self,
        release: Path,
        index: str,
        items: str,
        queue: str,
        ready_file: Path | None = None,
        config: PublishConfig | None = None,
    ) -> None:
        self.release, self.ready_file = release, ready_file
        self.index, self.items, self.queue = index, items, queue
        self.config = config or PublishConfig()
        self._stores: tuple[EmbeddingIndex, ItemStore, ItemQueue] | None = None
        self._open = ExitStack()
        self._healing: Healing | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def publish_once(self, stop: threading.Event) -> None:
        """Publishes the release that is there.

        Raises:
            InputError: there is none, or it cannot be published.
        """
        try:
            self._publish(Release.read(self.release), stop)
        except Stopped:
            _LOG.warning("stopped before everything was in; what was served still is")
        except _OUTAGES as error:
            raise InputError(str(error)) from error

    def watch(self, stop: threading.Event) -> None:
        """Publishes each release that comes until `stop` is set; what fails is tried again."""
        if self.ready_file is not None:
            # Of an earlier process, whose stores may be gone.
            self.ready_file.unlink(missing_ok=True)
        published: str | None = None
        failures, told = 0, ""
        while not stop.is_set():
            seconds, problem = self.config.watch_seconds, ""
            try:
                published = self._publish_new(published, stop)
                failures = 0
            except Stopped:
                break
            except InputError as error:
                # A release that is not there yet, or that another one has to replace.
                problem = str(error)
            except _OUTAGES as error:
                failures, problem = failures + 1, str(error)
                seconds = self._backoff(failures)
            # What lasts is said once.
            if problem and problem != told:
                _LOG.warning("nothing is published: %s", problem)
            told = problem
            stop.wait(seconds)

    def _publish_new(self, published: str | None, stop: threading.Event) -> str:
        release = Release.read(self.release)
        if release.identity != published:
            self._publish(release, stop)
        elif self._healing is not None and self._healing.is_due():
            put, left = self._healing.heal(*self._open_stores(), stop)
            if put or left:
                _LOG.info("%d items are late, %d of them are in the queue again", len(put | left), len(put))
        return release.identity

    def _publish(self, release: Release, stop: threading.Event) -> None:
        index, items, queue = self._open_stores()
        _LOG.info("release %d: publishing", release.number)
        self._healing = Healing(release, self.config)
        done = publish(release, index, items, queue, self.config, stop, self._healing)
        _LOG.info("release %d is published: %s", release.number, done)
        if self.ready_file is not None:
            partial = self.ready_file.with_name(f"{self.ready_file.name}.partial")
            partial.write_text(f"{release.number}\n", encoding="utf-8")
            os.replace(partial, self.ready_file)

    def _open_stores(self) -> tuple[EmbeddingIndex, ItemStore, ItemQueue]:
        if self._stores is None:
            with ExitStack() as opened:
                index = open_embedding_index(self.index)
                opened.callback(index.close)
                items = open_item_store(self.items)
                opened.callback(items.close)
                self._stores = index, items, open_item_queue(self.queue)
                self._open = opened.pop_all()
        return self._stores

    def _backoff(self, failures: int) -> float:
        return backoff_seconds(failures, self.config.min_backoff_seconds, self.config.max_backoff_seconds)
