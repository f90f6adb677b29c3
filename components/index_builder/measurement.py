"""Measures an index against exact search."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from components.recall_evaluator.recall_vectors import RecallVectors
from serving.retrieval.build_index import measure_recall
from serving.retrieval.exact_search import exact_search
from serving.retrieval.vector_index import VectorIndex

# Queries that are searched at once; what they bring, at thousands of items each, is in memory.
_AT_ONCE = 1_024


def measure_index(index: VectorIndex, vectors: RecallVectors, ks: Sequence[int]) -> dict[str, Any]:
    """What the index brings for the users of held-out clicks.

    Args:
        index: of `vectors`.
        vectors: of items and users.
        ks: how many items are asked for, ascending.
    Returns:
        "search": "exact" or "scann"; "version", "build_seconds"; "index_recall": by k, the share of the exact top k
        that the index finds, None where there is no click to ask for; "click_recall": {"exact", "index"} by k.
    """
    found = [_measure(index, vectors, start, ks) for start in range(0, len(vectors.users), _AT_ONCE)]
    weights = [
        len(vectors.users[start : start + _AT_ONCE]) for start in range(0, len(vectors.users), _AT_ONCE)
    ]

    def mean(name: str, k: int) -> float | None:
        return float(np.average([part[name, k] for part in found], weights=weights)) if found else None

    return {
        "search": "exact" if index.description.parameters is None else "scann",
        "version": index.description.version,
        "build_seconds": index.description.build_seconds,
        "index_recall": {str(k): mean("index_recall", k) for k in ks},
        "click_recall": {way: {str(k): mean(way, k) for k in ks} for way in ("exact", "index")},
    }


def _measure(
    index: VectorIndex, vectors: RecallVectors, start: int, ks: Sequence[int]
) -> dict[tuple[str, int], float]:
    users, clicked = (part[start : start + _AT_ONCE] for part in (vectors.users, vectors.clicked))
    exact_places, exact_scores = exact_search(users, vectors.items, ks[-1])
    figures = {}
    for k in ks:
        # Asked for by itself: how widely the index searches depends on how much is asked for.
        places, scores = index.search_places(users, k)
        figures["index_recall", k] = measure_recall(scores, exact_scores[:, :k])
        figures["index", k] = _hit_rate(places, clicked)
        figures["exact", k] = _hit_rate(exact_places[:, :k], clicked)
    return figures


def _hit_rate(places: np.ndarray, clicked: np.ndarray) -> float:
    return float((places == clicked[:, None]).any(axis=1).mean())
