"""What a prediction rests on: the user's behaviors beside the item, and how alike they are."""

from typing import Any

import numpy as np
import tensorflow as tf

from models.layers.sim_tier import SimTier

# By modality and item, float32 `[dim]` of length 1; only the items that have one.
Vectors = dict[str, dict[str, np.ndarray]]


def compare(item_id: str, behavior_item_ids: list[str], vectors: Vectors, tier: SimTier) -> dict[str, Any]:
    """Compares an item with all behaviors, by modality.

    Args:
        item_id: the item that was shown.
        behavior_item_ids: most recent last; an item may stand there several times.
        vectors: the embeddings of all these, as far as there are.
        tier: counts the similarities, as in the model.
    Returns:
        By modality: "has_embedding" (of the item), "compared" (behaviors that could be compared with it),
        "tiers" (how many fell in each tier of similarity; None where nothing was compared).
    """
    compared = {}
    for modality, known in vectors.items():
        found = [similarity_of(known, item_id, behavior) for behavior in behavior_item_ids]
        similarities = [similarity for similarity in found if similarity is not None]
        compared[modality] = {
            "has_embedding": item_id in known,
            "compared": len(similarities),
            "tiers": _count(similarities, tier) if similarities else None,
        }
    return compared


def rank_behaviors(
    item_id: str, behavior_item_ids: list[str], vectors: Vectors, limit: int
) -> list[dict[str, Any]]:
    """The different items among the behaviors, the one most similar to the item first.

    Similar means: on average over the modalities in which the two can be compared. Those that cannot be compared
    at all come last, the most recent of them first.

    Returns:
        At most `limit`: "item_id", "times" (how often it is among the behaviors), "latest" (1: the last
        behavior), and "similarities" by modality (None where one of the two has no embedding).
    """
    latest_first = behavior_item_ids[::-1]
    behaviors = [
        {
            "item_id": behavior,
            "times": latest_first.count(behavior),
            "latest": 1 + latest_first.index(behavior),
            "similarities": {
                name: similarity_of(known, item_id, behavior) for name, known in vectors.items()
            },
        }
        for behavior in dict.fromkeys(latest_first)
    ]
    return sorted(behaviors, key=_likeness, reverse=True)[:limit]


def similarity_of(known: dict[str, np.ndarray], item_id: str, behavior: str) -> float | None:
    """The cosine of two items' embeddings, or None where one has none."""
    if item_id not in known or behavior not in known:
        return None
    return float(known[item_id] @ known[behavior])


def _likeness(behavior: dict[str, Any]) -> float:
    there = [similarity for similarity in behavior["similarities"].values() if similarity is not None]
    return float(np.mean(there)) if there else -np.inf


def _count(similarities: list[float], tier: SimTier) -> list[int]:
    counts = tier(tf.constant([similarities]), tf.ones([1, len(similarities)], tf.bool))
    return [int(count) for count in counts[0].numpy()]
