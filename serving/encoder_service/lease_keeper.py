"""Keeps claims while they are worked on."""

import logging
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from serving.item_queue.claim import Claim
from serving.item_queue.errors import QueueUnavailable
from serving.item_queue.item_queue import ItemQueue

_LOG = logging.getLogger(__name__)


class LeaseKeeper:
    """Renews claims again and again for as long as the `with` lasts; what is settled or lost stays so.

    Args:
        queue: where they come from.
        claims: what is worked on.
        lease_seconds: their lease; they are renewed three times in it.
    """

    def __init__(self, queue: ItemQueue, claims: Sequence[Claim], lease_seconds: float) -> None:
        self.queue, self.claims, self.lease_seconds = queue, claims, lease_seconds
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease-keeper", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()

    def _renew(self) -> None:
        while not self._done.wait(self.lease_seconds / 3):
            try:
                self.queue.renew(self.claims)
            except QueueUnavailable as error:
                _LOG.warning("claims could not be renewed: %s", error)
