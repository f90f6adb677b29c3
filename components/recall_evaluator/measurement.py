"""Measures what a recall model brings, stage by stage."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from components.recall_evaluator.config import RecallEvaluatorConfig
from components.recall_evaluator.recall_inputs import CatalogItems, HeldOutUsers
from components.recall_evaluator.saved_recall import USERS_AT_ONCE, SavedRecall
from models.metrics.click_recall import (
    click_recall,
    coverage,
    find_places,
    long_tail_items,
    mean_cosine,
    popularity,
)
from serving.retrieval.exact_search import exact_search, sort_by_score

RETRIEVED, STAGED, EXACT, POPULAR = "retrieved", "staged", "exact", "popular"
ALL, LONG_TAIL, NEW = "all", "long_tail", "new"
# The rank of an item that was not recalled.
_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class RecallMeasurement:
    """What was measured, and the vectors that it was measured with.

    Attributes:
        figures: see `measure`.
        item_vectors: float32 `[items, dim]`.
        user_vectors: float32 `[clicks, dim]`.
        ranks: by way of recall, the ranks of the clicked items, int64 `[clicks]`: 0 for the best, a very large one
            for an item that was not recalled. Those of "exact" may be of the first clicks alone.
        is_in_group: by group of clicked items, bool `[clicks]`.
    """

    figures: dict[str, Any]
    item_vectors: np.ndarray
    user_vectors: np.ndarray
    ranks: dict[str, np.ndarray]
    is_in_group: dict[str, np.ndarray]


def measure(
    recall: SavedRecall, users: HeldOutUsers, items: CatalogItems, config: RecallEvaluatorConfig
) -> RecallMeasurement:
    """Measures a model on the clicks of held-out days, with the whole catalog to choose from.

    Figures: "clicks", "items", "k", "num_retrieved"; "stages": by the way of recall and by group of clicked items
    {"clicks", "click_recall": {k: share of these clicks whose item was among the first k, None where there is no
    click}}; "recalled": what is among the first `k` of all users; "random_cosine": see `RecallEvaluatorConfig`.
    The ways: "retrieved", the highest inner products; "staged", `num_retrieved` of them reordered by the model;
    "exact", all items by the model, on the first so many clicks as `max_exact_scores` allows; "popular", the most
    clicked items, whoever asks. A model without a second stage is the same in the first three.
    The groups: "all"; "long_tail", items outside the head; "new", items that the training days never showed.

    Args:
        recall: the model.
        users: the clicks.
        items: the catalog.
        config: what to measure.
    """
    item_vectors, user_vectors = recall.item_vectors(items), recall.user_vectors(users)
    search = _Search(recall, users, items, item_vectors, user_vectors, config)
    ranks = search.by_way()
    is_tail = long_tail_items(items.clicks, config.head_click_share)
    # An item that the catalog no longer has is in no group but the one of all.
    known = users.items >= 0
    is_in_group = {
        ALL: np.ones(len(users), bool),
        LONG_TAIL: known & is_tail[users.items],
        NEW: known & items.is_new[users.items],
    }
    figures = {
        "clicks": len(users),
        "items": len(items),
        "k": config.k,
        "num_retrieved": config.num_retrieved,
        "stages": {way: _by_group(own, is_in_group, config) for way, own in ranks.items()},
        "recalled": _recalled(search.first_k, items, is_tail),
        "random_cosine": _known(mean_cosine(item_vectors, seed=config.seed)),
    }
    return RecallMeasurement(figures, item_vectors, user_vectors, ranks, is_in_group)


class _Search:
    """Recalls for every click in every way.

    Attributes:
        first_k: int64 `[clicks, k]`, the places of what the stages bring; after `by_way`.
    """

    def __init__(
        self,
        recall: SavedRecall,
        users: HeldOutUsers,
        items: CatalogItems,
        item_vectors: np.ndarray,
        user_vectors: np.ndarray,
        config: RecallEvaluatorConfig,
    ) -> None:
        self._recall, self._users, self._config = recall, users, config
        self._ids = items.item_ids.cast(pa.binary()).to_numpy(zero_copy_only=False)
        self._item_vectors, self._user_vectors = item_vectors, user_vectors
        by_clicks = np.lexsort((np.arange(len(items)), -items.clicks))
        self._popularity = np.argsort(by_clicks)
        self.first_k = np.empty((0, min(config.k, len(items))), np.int64)

    def by_way(self) -> dict[str, np.ndarray]:
        """The ranks of the clicked items, int64 `[clicks]`."""
        clicked = self._users.items
        retrieved, staged, first_k = [], [], [self.first_k]
        for start, places, scores in self._retrieve():
            own = clicked[start : start + len(places)]
            retrieved.append(_find(places, own))
            if self._recall.reorders:
                places = self._reorder(start, places, scores)
            staged.append(_find(places, own))
            first_k.append(places[:, : self._config.k])
        self.first_k = np.concatenate(first_k)
        none = np.empty(0, np.int64)
        ranks = {RETRIEVED: np.concatenate([none, *retrieved]), STAGED: np.concatenate([none, *staged])}
        return ranks | {
            EXACT: self._exact() if self._recall.reorders else ranks[RETRIEVED],
            POPULAR: np.where(clicked < 0, _NEVER, self._popularity[clicked]),
        }

    def _retrieve(self) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        for start in range(0, len(self._users), USERS_AT_ONCE):
            asked = self._user_vectors[start : start + USERS_AT_ONCE]
            yield start, *exact_search(asked, self._item_vectors, self._config.num_retrieved)

    def _reorder(self, start: int, places: np.ndarray, scores: np.ndarray) -> np.ndarray:
        behaviors = self._users.columns["behavior_item_id"][start:]
        reordered = [
            self._recall.reorder(own, self._ids[row], first)
            for own, row, first in zip(behaviors, places, scores, strict=False)
        ]
        return sort_by_score(places, np.stack(reordered), places.shape[1])[0]

    def _exact(self) -> np.ndarray:
        count = min(len(self._users), max(1, self._config.max_exact_scores // len(self._ids)))
        ranks = []
        for row, clicked in enumerate(self._users.items[:count]):
            scores = self._item_vectors @ self._user_vectors[row]
            scores = self._recall.reorder(self._users.columns["behavior_item_id"][row], self._ids, scores)
            ranks.append(_rank(scores, clicked))
        return np.array(ranks, np.int64)


def _find(places: np.ndarray, clicked: np.ndarray) -> np.ndarray:
    """The rank of each click's item in its row of places `[clicks, found]`."""
    found = find_places(places, clicked)
    return np.where(found < places.shape[1], found, _NEVER)


def _rank(scores: np.ndarray, place: int) -> int:
    """The rank of one item among all; of equal scores the lower place comes first."""
    if place < 0:
        return _NEVER
    return int((scores > scores[place]).sum() + (scores[:place] == scores[place]).sum())


def _by_group(
    ranks: np.ndarray, is_in_group: dict[str, np.ndarray], config: RecallEvaluatorConfig
) -> dict[str, Any]:
    found = {}
    for name, group in is_in_group.items():
        own = ranks[group[: len(ranks)]]
        values = {str(k): _known(click_recall(own, k)) for k in config.all_ks}
        found[name] = {"clicks": len(own), "click_recall": values}
    return found


def _recalled(places: np.ndarray, items: CatalogItems, is_tail: np.ndarray) -> dict[str, float | None]:
    """How popular what the stages bring is, and how much of the catalog comes up at all."""
    k = max(places.shape[1], 1)
    figures = {
        "mean_clicks": popularity(places, items.clicks, k),
        "long_tail_share": popularity(places, is_tail, k),
        "new_share": popularity(places, items.is_new, k),
        "coverage": coverage(places, len(items), k),
    }
    return {name: _known(value) for name, value in figures.items()}


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
