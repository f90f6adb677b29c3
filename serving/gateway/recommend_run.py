"""What is known on the way from a request to its answer."""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from serving.gateway.deadline import Deadline
from serving.gateway.requests import Behavior, RecommendRequest
from serving.item_store.stored_item import StoredItem

_LOG = logging.getLogger(__name__)


class RecommendRun:
    """One request to recommend, and what the steps have found for it so far.

    Args:
        request: what is asked.
        deadline: the end of its time.
    Attributes:
        behaviors: the request's, with category and shop where they are known.
        recall_scores: of the recalled items, the best first.
        candidates: what is ranked.
        items: columns by item id, of those that the store knows.
        modalities: whose vectors the ranking model takes.
        sent: those of them whose vectors it was given.
        vectors: of candidates and behaviors, by modality, by item id.
        scores: click probabilities by item id; None while there are none.
        degraded: see `RecommendAnswer`.
        versions: see `RecommendAnswer`.
        timings_ms: see `RecommendAnswer`.
    """

    def __init__(self, request: RecommendRequest, deadline: Deadline) -> None:
        self.request = request
        self.deadline = deadline
        self.behaviors: list[Behavior] = list(request.behaviors)
        self.recall_scores: Mapping[str, float] = {}
        self.candidates: list[str] = []
        self.items: dict[str, StoredItem] = {}
        self.modalities: list[str] = []
        self.sent: set[str] = set()
        self.vectors: dict[str, dict[str, np.ndarray]] = {}
        self.scores: Mapping[str, float] | None = None
        self.degraded: list[str] = []
        self.versions: dict[str, str] = {}
        self.timings_ms: dict[str, float] = {}

    def degrade(self, part: str, reason: object) -> None:
        """Notes that a part did without something."""
        if part not in self.degraded:
            self.degraded.append(part)
        _LOG.debug("%s: %s", part, reason)

    @contextmanager
    def timing(self, part: str) -> Iterator[None]:
        """Measures a part; one that is measured twice has the sum."""
        started = time.perf_counter()
        try:
            yield
        finally:
            spent = (time.perf_counter() - started) * 1e3
            self.timings_ms[part] = round(self.timings_ms.get(part, 0.0) + spent, 3)
