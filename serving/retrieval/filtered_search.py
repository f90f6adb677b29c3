"""Search that keeps its k whatever is blocked."""

import math

import numpy as np

from serving.retrieval.exact_search import exact_search
from serving.retrieval.scann_searcher import ScannSearcher

# Fetching one item from ScaNN costs about as much as comparing this many exactly.
EXACT_PER_FETCHED = 10
# Somewhat more is fetched than blocked items would take if they were spread evenly, and much more the next time.
_MARGIN, _WIDEN = 1.2, 4


def search_allowed(
    queries: np.ndarray,
    k: int,
    vectors: np.ndarray,
    searcher: ScannSearcher | None,
    blocked: np.ndarray | None,
    exact_below: int,
) -> tuple[np.ndarray, np.ndarray]:
    """The k allowed items of highest inner product.

    More than k are fetched, and again more for the queries of which too many were blocked, until k are left. Where
    that would cost more than comparing all allowed items, these are compared. So k items come whenever so many are
    allowed.

    Args:
        queries: float32 `[batch, dim]`.
        k: int >= 1.
        vectors: float32 `[items, dim]`.
        searcher: of the same vectors; None: all search is exact.
        blocked: bool `[items]`, True for what no query may get; None: all are allowed.
        exact_below: where fewer items are allowed, search is exact.
    Returns:
        places: int64 `[batch, min(k, allowed)]`, rows of `vectors`, by descending score.
        scores: float32, of the same shape.
    """
    num_allowed = len(vectors) - (0 if blocked is None else int(np.count_nonzero(blocked)))
    width = min(k, num_allowed)
    found_places = np.empty((len(queries), width), np.int64)
    found_scores = np.empty((len(queries), width), np.float32)
    fetch = width
    if num_allowed < len(vectors):
        fetch = math.ceil(_MARGIN * width * len(vectors) / max(num_allowed, 1))
    rows = np.arange(len(queries))
    while searcher and len(rows) and exact_below <= num_allowed > fetch * EXACT_PER_FETCHED:
        places, scores = searcher.search(queries[rows], fetch)
        is_kept = places >= 0
        if blocked is not None:
            is_kept &= ~blocked[places]
        is_enough = is_kept.sum(axis=1) >= width
        # A stable sort brings those that are kept to the front, and the best of them first.
        first = np.argsort(~is_kept[is_enough], axis=1, kind="stable")[:, :width]
        found_places[rows[is_enough]] = np.take_along_axis(places[is_enough], first, axis=1)
        found_scores[rows[is_enough]] = np.take_along_axis(scores[is_enough], first, axis=1)
        rows = rows[~is_enough]
        fetch *= _WIDEN
    if len(rows):
        allowed = None if blocked is None else np.flatnonzero(~blocked)
        found_places[rows], found_scores[rows] = exact_search(queries[rows], vectors, width, allowed)
    return found_places, found_scores
