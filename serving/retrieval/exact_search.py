"""Exact search by inner product, in blocks."""

from collections.abc import Iterator

import numpy as np

# A block of scores, of this many queries and items, stays in the processor's caches.
BLOCK_QUERIES, BLOCK_ITEMS = 256, 8_192


def exact_search(
    queries: np.ndarray, vectors: np.ndarray, k: int, places: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The k items of highest inner product.

    A block's scores are compared with the k-th best so far, which lets only few of them through; those are sorted
    in once they have become as many as the results are. So the cost is about that of the matrix product.

    Args:
        queries: float32 `[batch, dim]`.
        vectors: float32 `[items, dim]`; may be memory-mapped.
        k: int >= 1.
        places: int `[allowed]`, ascending: the rows of `vectors` to look at; None: all.
    Returns:
        places: int64 `[batch, min(k, allowed)]`, rows of `vectors`, by descending score and then by place.
        scores: float32, of the same shape.
    """
    num_allowed = len(vectors) if places is None else len(places)
    width = min(k, num_allowed)
    found_places = np.empty((len(queries), width), np.int64)
    found_scores = np.empty((len(queries), width), np.float32)
    if width:
        for start in range(0, len(queries), BLOCK_QUERIES):
            rows = slice(start, start + BLOCK_QUERIES)
            found_places[rows], found_scores[rows] = _search_block(queries[rows], vectors, width, places)
    return found_places, found_scores


def sort_by_score(places: np.ndarray, scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The first k of each row, `[batch, found]` both, by descending score and then by place."""
    order = np.lexsort((places, -scores), axis=1)[:, :k]
    return np.take_along_axis(places, order, axis=1), np.take_along_axis(scores, order, axis=1)


def _search_block(
    queries: np.ndarray, vectors: np.ndarray, width: int, places: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    best: _Best | None = None
    for block_places, block in _blocks(vectors, max(width, BLOCK_ITEMS), places):
        scores = queries @ block.T
        if best is None:
            best = _Best(*_top_of_block(scores, block_places, width))
        else:
            best.offer(scores, block_places)
    assert best is not None
    best.merge()
    return best.places, best.scores


def _blocks(
    vectors: np.ndarray, size: int, places: np.ndarray | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    total = len(vectors) if places is None else len(places)
    for start in range(0, total, size):
        stop = min(start + size, total)
        if places is None:
            yield np.arange(start, stop), vectors[start:stop]
        else:
            yield places[start:stop].astype(np.int64), vectors[places[start:stop]]


def _top_of_block(scores: np.ndarray, places: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """`[batch, width]` both. Of equal scores at the border the lowest places are taken."""
    if width == len(places):
        return sort_by_score(np.broadcast_to(places, scores.shape), scores, width)
    border = -np.partition(-scores, width - 1, axis=1)[:, width - 1 : width]
    flat = np.flatnonzero(scores >= border)
    rows, columns = np.divmod(flat, scores.shape[1])
    return _first_of_rows(rows, places[columns], scores.ravel()[flat], len(scores), width)


def _first_of_rows(
    rows: np.ndarray, places: np.ndarray, scores: np.ndarray, num_rows: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Of candidates in any order, at least `width` a row, the first of each row: `[num_rows, width]` both."""
    order = np.lexsort((places, -scores, rows))
    starts = np.searchsorted(rows[order], np.arange(num_rows))
    first = order[starts[:, None] + np.arange(width)]
    return places[first], scores[first]


class _Best:
    """The best so far of each query, and what came since that may be better."""

    def __init__(self, places: np.ndarray, scores: np.ndarray) -> None:
        self.places = places
        self.scores = scores
        self._pending: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._num_pending = 0

    def offer(self, scores: np.ndarray, places: np.ndarray) -> None:
        """Takes a block's `[batch, items]` scores; its places come after all that were offered before."""
        # An equal score of a later place loses, so that only higher ones are let through.
        flat = np.flatnonzero(scores > self.scores[:, -1:])
        rows, columns = np.divmod(flat, scores.shape[1])
        self._pending.append((rows, places[columns], scores.ravel()[flat]))
        self._num_pending += len(flat)
        if self._num_pending >= self.scores.size:
            self.merge()

    def merge(self) -> None:
        """Sorts in what is pending."""
        num_rows, width = self.scores.shape
        kept = (np.repeat(np.arange(num_rows), width), self.places.ravel(), self.scores.ravel())
        rows, places, scores = (np.concatenate(parts) for parts in zip(kept, *self._pending, strict=True))
        self.places, self.scores = _first_of_rows(rows, places, scores, num_rows, width)
        self._pending, self._num_pending = [], 0
