"""How embeddings lie on the unit sphere."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from models.metrics.random_pairs import MAX_PAIRS, random_pairs

# Pairs whose vectors are held at once: 128 MB at 256 dimensions.
CHUNK = 1 << 16


class EmbeddingGeometry(NamedTuple):
    """Whether related things lie together and unrelated ones apart; NaN where there is no pair.

    Attributes:
        alignment: mean squared distance of a query and its positive, 0 (best) to 4.
        uniformity: log of the mean of exp(-2·d²) over pairs of items, 0 where all coincide; -4 is the least
            that vectors spread evenly over a sphere of many dimensions come near.
        random_cosine: mean cosine of two different items, 1 where all coincide, about 0 where they spread.
    """

    alignment: float
    uniformity: float
    random_cosine: float


def embedding_geometry(
    queries: ArrayLike,
    positives: ArrayLike,
    candidates: ArrayLike,
    max_pairs: int = MAX_PAIRS,
    seed: int = 0,
) -> EmbeddingGeometry:
    """Measures alignment, uniformity and the mean cosine of random items.

    A low alignment alone says little: an encoder that gives everything one vector has the best. Uniformity
    and the random cosine tell it from a good one.

    Args:
        queries: float `[queries, dim]`, L2-normalized.
        positives: int `[queries]`, the row in `candidates` of each query's positive.
        candidates: float `[candidates, dim]`, L2-normalized, of distinct items.
        max_pairs: pairs of items to look at. Where there are more, that many are drawn at random, with
            replacement.
        seed: of that draw.
    Source: Wang and Isola 2020 (arXiv 2005.10242), equations for alignment (alpha 2) and uniformity (t 2).
    """
    queries, candidates = np.asarray(queries, np.float32), np.asarray(candidates, np.float32)
    positives = np.asarray(positives, np.int64)
    alignment = _squared_distances(queries, np.arange(len(queries)), candidates, positives)
    left, right = random_pairs(len(candidates), max_pairs, seed)
    distances = _squared_distances(candidates, left, candidates, right)
    return EmbeddingGeometry(
        alignment=_mean(alignment),
        uniformity=float(np.log(_mean(np.exp(-2 * distances)))),
        # Of unit vectors, d² = 2 - 2·cosine.
        random_cosine=1 - _mean(distances) / 2,
    )


def _squared_distances(
    left: np.ndarray, left_rows: np.ndarray, right: np.ndarray, right_rows: np.ndarray
) -> np.ndarray:
    """float64 `[rows]`, a chunk of vectors at a time."""
    distances = np.empty(len(left_rows))
    for start in range(0, len(left_rows), CHUNK):
        chunk = slice(start, start + CHUNK)
        difference = left[left_rows[chunk]] - right[right_rows[chunk]]
        distances[chunk] = np.einsum("rd,rd->r", difference, difference, dtype=np.float64)
    return distances


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")
