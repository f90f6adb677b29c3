"""How long new items take until they are found."""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from serving.encoder_service.freshness import Freshness

STAGES = ("searchable", "recallable")
# Items that never arrive (they cannot be encoded) must not fill the memory.
_MAX_WAITING = 100_000

Observe = Callable[[str, Sequence[float]], None]


@dataclass
class _Arrival:
    introduced_at: float
    # By stage the modalities that have yet to come.
    missing: dict[str, set[str]]


class Arrivals:
    """Measures new items' seconds from being introduced here to being searchable and recallable.

    An item is searchable once the vectors of all its content can be found, and recallable once recall has them.
    What tells of an arrival is that the item's entry in the embedding index was written; if an item is put again
    while its former content is being encoded, that one's arrival is taken for it.

    Args:
        observe: called with a stage and the seconds of some items.
    """

    def __init__(self, observe: Observe) -> None:
        self._observe = observe
        self._lock = threading.Lock()
        self._waiting: dict[str, _Arrival] = {}
        self._freshness = {stage: Freshness() for stage in STAGES}

    def expect(self, item_id: str, introduced_at: float, modalities: Collection[str]) -> None:
        """Notes a new item and its content."""
        with self._lock:
            self._waiting.pop(item_id, None)
            self._waiting[item_id] = _Arrival(introduced_at, {stage: set(modalities) for stage in STAGES})
            if len(self._waiting) > _MAX_WAITING:
                del self._waiting[next(iter(self._waiting))]

    def forget(self, item_id: str) -> None:
        """Expects an item no more: it was not taken."""
        with self._lock:
            self._waiting.pop(item_id, None)

    def arrived(self, stage: str, modality: str, item_ids: Iterable[str]) -> None:
        """Notes items whose vectors can be found now, by `similar` ("searchable") or recall ("recallable")."""
        now = time.time()
        with self._lock:
            seconds = [
                max(0.0, now - arrival.introduced_at)
                for arrival in (self._arrive(item_id, stage, modality) for item_id in item_ids)
                if arrival is not None
            ]
        if seconds:
            self._freshness[stage].add(seconds)
            self._observe(stage, seconds)

    def waiting(self, item_id: str) -> set[str]:
        """The modalities of which an item's newest content is not there yet."""
        with self._lock:
            arrival = self._waiting.get(item_id)
            return set() if arrival is None else set(arrival.missing.get("searchable", ()))

    def status(self) -> dict[str, Any]:
        """Exact quantiles of the latest items, by stage."""
        return {stage: freshness.status() for stage, freshness in self._freshness.items()}

    def _arrive(self, item_id: str, stage: str, modality: str) -> _Arrival | None:
        """The item, if this was the last that it lacked at this stage."""
        arrival = self._waiting.get(item_id)
        if arrival is None or stage not in arrival.missing:
            return None
        arrival.missing[stage].discard(modality)
        if arrival.missing[stage]:
            return None
        del arrival.missing[stage]
        if not arrival.missing:
            del self._waiting[item_id]
        return arrival
