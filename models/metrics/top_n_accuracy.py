"""Acc@N: how often a query finds its own positive among all positives."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

# Similarities that are held at once, 256 MB of float32: those of 67 queries to a million candidates. With far
# fewer queries a block, the product would wait for the candidates to come from memory.
BLOCK_VALUES = 1 << 26


class Ranks(NamedTuple):
    """Where each query's positive stands among the candidates.

    Attributes:
        above: int64 `[queries]`, candidates that are strictly more similar to the query.
        ties: int64 `[queries]`, other candidates that are exactly as similar.
    """

    above: np.ndarray
    ties: np.ndarray

    def hits(self, n: int) -> np.ndarray:
        """The probability that each positive is in the top N when ties are broken at random.

        The positive is equally likely to stand on each of the places above + 1 … above + ties + 1, of which
        N - above are within the top N. So an encoder that gives everything the same vector gets N over the
        number of candidates, and not 1.

        Args:
            n: int > 0.
        Returns:
            float64 `[queries]`.
        """
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        return np.clip((n - self.above) / (self.ties + 1), 0.0, 1.0)


class Retrieval(NamedTuple):
    """What chosen queries retrieve; ties are broken by the candidates' order.

    Attributes:
        ranks: int64 `[queries]`, the place of the positive, from 1.
        indices: int64 `[queries, n]`, candidates, the most similar first.
        similarities: float32 `[queries, n]`, theirs.
    """

    ranks: np.ndarray
    indices: np.ndarray
    similarities: np.ndarray


def top_n_accuracy(queries: ArrayLike, positives: ArrayLike, candidates: ArrayLike, n: int) -> float:
    """Computes the share of queries whose positive is among the N most similar candidates.

    Exact over all candidates, in blocks of queries: memory grows with queries plus candidates, and never with
    their product. Ties count by their probability, see `Ranks.hits`.

    Args:
        queries: float `[queries, dim]`, embeddings.
        positives: int `[queries]`, the row in `candidates` of each query's positive.
        candidates: float `[candidates, dim]`, embeddings of distinct items.
        n: int > 0.
    Returns:
        Acc@N in [0, 1], or NaN of no queries.
    Raises:
        ValueError: shapes that do not fit, a row that is not there, or an embedding that is not finite.
    Source: Sheng et al. 2024 (arXiv 2407.19467), equation 6.
    """
    hits = rank_positives(queries, positives, candidates).hits(n)
    return float(hits.mean()) if hits.size else float("nan")


def rank_positives(queries: ArrayLike, positives: ArrayLike, candidates: ArrayLike) -> Ranks:
    """Counts, for every query, the candidates above its positive and those that tie with it.

    Arguments and errors as in `top_n_accuracy`.
    """
    queries, positives, candidates = _checked(queries, positives, candidates)
    distinct = _distinct(candidates)
    above = np.zeros(len(queries), dtype=np.int64)
    ties = np.zeros(len(queries), dtype=np.int64)
    for block, similarity in _similarities(queries, distinct.vectors):
        # The positive's own value is one of the product's: computed otherwise, it could differ in its last
        # bit, and the positive would beat or lose to itself.
        own = np.take_along_axis(similarity, distinct.places[positives[block], None], axis=1)
        above[block] = _weigh(similarity > own, distinct.counts)
        ties[block] = _weigh(similarity == own, distinct.counts) - 1
    return Ranks(above, ties)


def retrieve(queries: ArrayLike, positives: ArrayLike, candidates: ArrayLike, n: int) -> Retrieval:
    """Finds the N most similar candidates of each query, and the rank of its positive.

    Meant for a few queries, to look at.

    Arguments and errors as in `top_n_accuracy`; of fewer than N candidates all are returned.
    """
    queries, positives, candidates = _checked(queries, positives, candidates)
    distinct = _distinct(candidates)
    n = min(n, len(candidates))
    ranks = np.zeros(len(queries), dtype=np.int64)
    indices = np.zeros((len(queries), n), dtype=np.int64)
    similarities = np.zeros((len(queries), n), dtype=np.float32)
    for block, product in _similarities(queries, distinct.vectors):
        similarity = product[:, distinct.places]  # [block, candidates]
        order = np.argsort(-similarity, axis=1, kind="stable")
        ranks[block] = 1 + np.argmax(order == positives[block, None], axis=1)
        indices[block] = order[:, :n]
        similarities[block] = np.take_along_axis(similarity, order[:, :n], axis=1)
    return Retrieval(ranks, indices, similarities)


class _Distinct(NamedTuple):
    """Candidates without repeated vectors.

    Which instructions a matrix product uses for a column depends on the column's place, so equal vectors in
    two places need not have bit-equal similarities. One column for both makes their tie exact.
    """

    vectors: np.ndarray  # [distinct, dim]
    places: np.ndarray  # int64 [candidates], the row in `vectors` of each candidate
    counts: np.ndarray  # int64 [distinct], how many candidates have it


def _distinct(candidates: np.ndarray) -> _Distinct:
    rows = np.ascontiguousarray(candidates)
    keys = rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1]))).ravel()
    _, first, places, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    return _Distinct(rows[first], places.reshape(-1), counts)


def _similarities(queries: np.ndarray, vectors: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Blocks of the product, `[block, vectors]`; each is overwritten by the next."""
    size = min(len(queries), max(1, BLOCK_VALUES // max(1, len(vectors))))
    # New memory for every block would cost as much as the product.
    buffer = np.empty((size, len(vectors)), dtype=np.float32)
    for start in range(0, len(queries), max(1, size)):
        block = slice(start, start + size)
        yield block, np.matmul(queries[block], vectors.T, out=buffer[: len(queries[block])])


def _weigh(is_counted: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """How many candidates the marked vectors stand for. int64 `[block]`."""
    if (counts == 1).all():
        return np.count_nonzero(is_counted, axis=1)
    # A product of floats is ten times as fast as one of integers, and as exact up to 2^24 candidates.
    return (is_counted.astype(np.float32) @ counts.astype(np.float32)).astype(np.int64)


def _checked(
    queries: ArrayLike, positives: ArrayLike, candidates: ArrayLike
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    queries, candidates = np.asarray(queries, np.float32), np.asarray(candidates, np.float32)
    positives = np.asarray(positives, np.int64)
    if queries.ndim != 2 or candidates.ndim != 2 or queries.shape[1] != candidates.shape[1]:
        raise ValueError(
            "queries and candidates must be matrices of one embedding dimension, "
            f"got shapes {queries.shape} and {candidates.shape}"
        )
    if positives.shape != queries.shape[:1]:
        raise ValueError(f"positives must have the shape {queries.shape[:1]}, got {positives.shape}")
    if positives.size and not 0 <= positives.min() <= positives.max() < len(candidates):
        raise ValueError(
            f"positives must be rows of the {len(candidates)} candidates, "
            f"got {positives.min()} to {positives.max()}"
        )
    for name, embeddings in (("queries", queries), ("candidates", candidates)):
        if not np.isfinite(embeddings).all():
            raise ValueError(f"{name} must be finite, got NaN or infinity")
    return queries, positives, candidates
