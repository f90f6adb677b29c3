"""What an ad's content has to do with a user's behaviors."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from serving.gateway.answers import Why
from serving.gateway.recommend_run import RecommendRun

Vectors = Sequence[np.ndarray | None]


def explain(
    run: RecommendRun, item_ids: Sequence[str], empty: Mapping[str, Collection[str]], num_tiers: int
) -> dict[str, Why]:
    """Why each ad is where it is, by item id.

    Args:
        run: has the vectors.
        item_ids: the ads.
        empty: by modality the ads that have no such content.
        num_tiers: of the histograms.
    """
    behaviors = [each.item_id for each in run.behaviors]
    cosines = {
        modality: similarities(
            [vectors.get(each) for each in item_ids], [vectors.get(each) for each in behaviors]
        )
        for modality, vectors in run.vectors.items()
    }
    tiers = {modality: tier_counts(each, num_tiers) for modality, each in cosines.items()}
    return {
        item_id: Why(
            {each: _source(run, each, item_id, empty.get(each, ())) for each in run.modalities},
            {modality: _or_none(each[row]) for modality, each in cosines.items()},
            {modality: each[row].tolist() for modality, each in tiers.items()},
        )
        for row, item_id in enumerate(item_ids)
    }


def similarities(candidates: Vectors, behaviors: Vectors) -> np.ndarray:
    """Cosines, float32 `[candidates, behaviors]`; NaN where either has no vector.

    Args:
        candidates: float32 `[dim]` each, or None.
        behaviors: as well.
    """
    result = np.full((len(candidates), len(behaviors)), np.nan, np.float32)
    rows, columns = _present(candidates), _present(behaviors)
    if rows and columns:
        cosines = _units(candidates, rows) @ _units(behaviors, columns).T
        result[np.ix_(rows, columns)] = np.clip(cosines, -1, 1)
    return result


def tier_counts(similarity: np.ndarray, num_tiers: int) -> np.ndarray:
    """How many similarities lie in each tier of equal width over [-1, 1], int64 `[candidates, num_tiers]`.

    A tier holds its lower edge, and the last one 1.0 too, as in `SimTier`; NaN is in none.

    Args:
        similarity: float32 `[candidates, behaviors]`.
        num_tiers: int > 0.
    """
    half = num_tiers / 2
    inner_edges = ((np.arange(1, num_tiers) - half) / half).astype(np.float32)
    tiers = np.searchsorted(inner_edges, similarity, side="right")
    # NaN is sorted behind everything.
    is_number = ~np.isnan(similarity)
    counts = np.zeros((len(similarity), num_tiers), np.int64)
    rows = np.broadcast_to(np.arange(len(similarity))[:, None], similarity.shape)
    np.add.at(counts, (rows[is_number], tiers[is_number]), 1)
    return counts


def _source(run: RecommendRun, modality: str, item_id: str, empty: Collection[str]) -> str:
    """Where the ranking model has an ad's vector from; see `Why`."""
    if item_id in empty:
        return "none"
    return "index" if modality in run.sent and item_id in run.vectors[modality] else "model"


def _or_none(row: np.ndarray) -> list[float | None]:
    return [None if np.isnan(each) else float(each) for each in row]


def _present(vectors: Vectors) -> list[int]:
    return [row for row, vector in enumerate(vectors) if vector is not None and vector.any()]


def _units(vectors: Vectors, rows: list[int]) -> np.ndarray:
    chosen = np.stack([vector for row in rows if (vector := vectors[row]) is not None]).astype(np.float32)
    return chosen / np.linalg.norm(chosen, axis=1, keepdims=True)
