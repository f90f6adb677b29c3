"""Builds an index that is known to find what it should."""

import time

import numpy as np

from serving.retrieval.config import IndexConfig
from serving.retrieval.exact_search import exact_search
from serving.retrieval.index_description import IndexDescription
from serving.retrieval.index_files import ItemIds, check_items
from serving.retrieval.scann_parameters import MIN_ITEMS, choose_parameters
from serving.retrieval.scann_searcher import ScannSearcher
from serving.retrieval.vector_index import VectorIndex
from transforms.input_error import InputError

# Sums of the same products in another order differ by less, relative to the score.
_TOLERANCE = 1e-5


def build_index(
    item_ids: ItemIds,
    vectors: np.ndarray,
    version: str,
    config: IndexConfig | None = None,
    queries: np.ndarray | None = None,
) -> VectorIndex:
    """An index over items' vectors, exact for few items and ScaNN's for many.

    ScaNN's recall is measured against exact search, and the search widened until `min_recall` holds.

    Args:
        item_ids: distinct texts, `[items]`.
        vectors: float32 `[items, dim]`.
        version: of the vectors; stands in `index.json`.
        config: of the index; None: as it comes.
        queries: float32 `[queries, dim]` to measure the recall with, best those that will be asked, as users'
            vectors; of more than `num_recall_queries` a random part. None: some of the items' own vectors.
    Returns:
        The index; its `description` has the measured recall, ScaNN's parameters and the seconds it took.
    Raises:
        InputError: items or queries that do not fit together, or a recall that stays below `min_recall`.
    """
    started = time.perf_counter()
    config = config or IndexConfig()
    ids, vectors = check_items(item_ids, vectors)
    num_items, dim = vectors.shape
    recall_at = min(config.recall_at, max(num_items, 1))
    if num_items < max(config.exact_below, MIN_ITEMS):
        searcher, recall, num_queries = None, 1.0, 0
    else:
        asked = _choose_queries(vectors if queries is None else queries, dim, config)
        searcher = ScannSearcher.build(
            vectors, choose_parameters(num_items, dim, recall_at), config.threads()
        )
        searcher, recall = _widen(searcher, vectors, asked, recall_at, config.min_recall)
        num_queries = len(asked)
    description = IndexDescription(
        version=version,
        num_items=num_items,
        dim=dim,
        recall=recall,
        recall_at=recall_at,
        num_recall_queries=num_queries,
        build_seconds=round(time.perf_counter() - started, 2),
        config=config,
        parameters=searcher.parameters if searcher else None,
    )
    return VectorIndex(ids, vectors, description, searcher)


def measure_recall(found_scores: np.ndarray, exact_scores: np.ndarray) -> float:
    """The share of the exact top items that were found.

    By score and not by item: of items with equal scores any is as good.

    Args:
        found_scores: float32 `[queries, k]`, inner products of distinct items; -inf where none was found.
        exact_scores: float32 `[queries, k]`, the highest, descending.
    """
    last = exact_scores[:, -1:]
    return float((found_scores >= last - _TOLERANCE * np.abs(last)).mean())


def _choose_queries(queries: np.ndarray, dim: int, config: IndexConfig) -> np.ndarray:
    queries = np.asarray(queries)
    if queries.ndim != 2 or queries.shape[1] != dim or not len(queries) or queries.dtype != np.float32:
        raise InputError(
            f"expected queries as float32 [1 or more, {dim}], got {queries.dtype} {list(queries.shape)}"
        )
    if len(queries) > config.num_recall_queries:
        rng = np.random.default_rng(config.seed)
        queries = queries[rng.choice(len(queries), config.num_recall_queries, replace=False)]
    if not np.isfinite(queries).all():
        raise InputError("expected queries of finite numbers, got NaN or infinity")
    return np.ascontiguousarray(queries)


def _widen(
    searcher: ScannSearcher, vectors: np.ndarray, queries: np.ndarray, recall_at: int, min_recall: float
) -> tuple[ScannSearcher, float]:
    """The searcher that looks just widely enough, and its recall."""
    exact_scores = exact_search(queries, vectors, recall_at)[1]
    while (recall := measure_recall(searcher.search(queries, recall_at)[1], exact_scores)) < min_recall:
        if not searcher.parameters.can_be_raised(recall_at):
            raise InputError(
                f"expected the index to find {min_recall} of the top {recall_at} items (min_recall), got {recall:.4f}"
                " when searched as widely as it can be"
            )
        searcher = searcher.widened()
    return searcher, recall
