"""Click-recall@K: how often what was clicked is among what was retrieved; and what is retrieved at all."""

import numpy as np
from numpy.typing import ArrayLike

from models.metrics.random_pairs import MAX_PAIRS, random_pairs

# Pairs whose vectors are held at once: 64 MB at 128 dimensions.
CHUNK = 1 << 16


def find_places(retrieved: ArrayLike, clicked: ArrayLike) -> np.ndarray:
    """Where the clicked item stands among what was retrieved.

    Args:
        retrieved: int `[clicks, k]`, distinct items, the best first; -1 where nothing was found.
        clicked: int `[clicks]`, items.
    Returns:
        int64 `[clicks]`, from 0; k where it is not among them.
    Raises:
        ValueError: shapes that do not fit.
    """
    retrieved, clicked = np.asarray(retrieved), np.asarray(clicked)
    if retrieved.ndim != 2 or clicked.shape != retrieved.shape[:1]:
        raise ValueError(
            f"retrieved must be [clicks, k] and clicked [clicks], got {retrieved.shape} and {clicked.shape}"
        )
    is_clicked = retrieved == clicked[:, None]
    if not retrieved.shape[1]:
        return np.zeros(len(retrieved), np.int64)
    return np.where(is_clicked.any(axis=1), is_clicked.argmax(axis=1), retrieved.shape[1])


def click_recall(places: ArrayLike, k: int, counts: ArrayLike | None = None) -> float:
    """The share of clicks whose item is among the first K.

    Args:
        places: int `[clicks]`, of `find_places` on lists of at least K, or on whole shorter catalogs.
        k: int > 0.
        counts: bool `[clicks]`, which clicks count, such as those of long-tail items; None: all.
    Returns:
        In [0, 1], or NaN where no click counts.
    Raises:
        ValueError: if `k` < 1.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    places = np.asarray(places)
    return _mean((places if counts is None else places[np.asarray(counts, bool)]) < k)


def long_tail_items(clicks: ArrayLike, head_click_share: float) -> np.ndarray:
    """The items outside the most clicked that make up a share of all clicks.

    An item is in the tail if the items with more clicks than it has already make up that share. So items of as
    many clicks are together in the head or in the tail, whatever their order, and one without clicks is in the tail.

    Args:
        clicks: int `[items]`, of the training days.
        head_click_share: share of all clicks, in (0, 1).
    Returns:
        bool `[items]`.
    """
    clicks = np.asarray(clicks, np.int64)
    values, groups, sizes = np.unique(clicks, return_inverse=True, return_counts=True)
    of_group = values * sizes
    above = of_group.sum() - np.cumsum(of_group)  # clicks of all items with more
    return (above >= head_click_share * of_group.sum())[groups]


def popularity(retrieved: ArrayLike, clicks: ArrayLike, k: int) -> float:
    """The mean clicks, in the training days, of what is among the first K.

    Args:
        retrieved: int `[queries, at least k]`, items; -1 where nothing was found.
        clicks: int `[items]`.
        k: int > 0.
    Returns:
        NaN where nothing was found.
    """
    found = np.asarray(retrieved)[:, :k]
    return _mean(np.asarray(clicks)[found[found >= 0]])


def coverage(retrieved: ArrayLike, num_items: int, k: int) -> float:
    """The share of all items that are among the first K of any query.

    Args:
        retrieved: int `[queries, at least k]`, items; -1 where nothing was found.
        num_items: of the catalog.
        k: int > 0.
    Returns:
        In [0, 1], or NaN of an empty catalog.
    """
    found = np.asarray(retrieved)[:, :k]
    return len(np.unique(found[found >= 0])) / num_items if num_items else float("nan")


def mean_cosine(vectors: ArrayLike, max_pairs: int = MAX_PAIRS, seed: int = 0) -> float:
    """The mean cosine of two random items: near 1 where all vectors have collapsed into one.

    Args:
        vectors: float `[items, dim]`, of any length; those of length 0 are left out.
        max_pairs: so many pairs are drawn, with replacement, where there are more.
        seed: of that draw.
    Returns:
        In [-1, 1], or NaN of fewer than two vectors.
    """
    vectors = np.asarray(vectors, np.float32)
    lengths = np.linalg.norm(vectors, axis=1)
    there = np.flatnonzero(lengths > 0)
    left, right = random_pairs(len(there), max_pairs, seed)
    total = 0.0
    for start in range(0, len(left), CHUNK):
        one, other = there[left[start : start + CHUNK]], there[right[start : start + CHUNK]]
        products = np.einsum("pd,pd->p", vectors[one], vectors[other], dtype=np.float64)
        total += float((products / (lengths[one].astype(np.float64) * lengths[other])).sum())
    return total / len(left) if len(left) else float("nan")


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")
