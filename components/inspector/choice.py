"""Which impressions are worth a look."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from transforms.item_stats import NEW_ITEM_GROUP

# With fewer behaviors there is little to compare an item with.
MIN_BEHAVIORS = 5

RAISED, LOWERED, RANDOM = "raised", "lowered", "random"


class Pick(NamedTuple):
    """An impression's place among those read, and why it was picked: RAISED, LOWERED or RANDOM."""

    place: int
    reason: str


def pick_impressions(columns: dict[str, np.ndarray], change: np.ndarray, count: int, seed: int) -> list[Pick]:
    """Picks impressions that show when content helps and when it misleads.

    Five kinds take turns: those that were raised most and clicked, lowered most and not clicked (content was
    right), raised most and not clicked, lowered most and clicked (it was wrong), and any at random, since
    extremes alone would deceive. Within each of the first four, new items and others alternate; what was raised
    begins with a new one and what was lowered with another. No user and no item is picked twice.

    Args:
        columns: as `ImpressionReader.read_columns` gives them.
        change: float `[impressions]`, how far each prediction was raised (above 0) or lowered; one that is not
            finite is never picked.
        count: how many, as far as there are.
        seed: of those picked at random.
    """
    has_behaviors = columns["behaviors"] >= MIN_BEHAVIORS
    eligible = np.isfinite(change)
    eligible &= has_behaviors if has_behaviors.any() else True
    clicked, is_new = columns["clicked"] == 1, columns["item_frequency_group"] == NEW_ITEM_GROUP

    def extremes(sign: int, is_clicked: bool) -> Iterator[int]:
        kind = np.flatnonzero(eligible & (sign * change > 0) & (clicked == is_clicked))
        ordered = kind[np.argsort(-sign * change[kind], kind="stable")]
        first = is_new[ordered] == (sign > 0)
        return _alternate(ordered[first].tolist(), ordered[~first].tolist())

    at_random = np.random.default_rng(seed).permutation(np.flatnonzero(eligible)).tolist()
    queues = [
        (RAISED, extremes(1, True)),
        (LOWERED, extremes(-1, False)),
        (RAISED, extremes(1, False)),
        (LOWERED, extremes(-1, True)),
        (RANDOM, iter(at_random)),
    ]
    return _take_turns(queues, columns["user_id"], columns["item_id"], count)


def _alternate(first: list[int], second: list[int]) -> Iterator[int]:
    """One of each as long as both last, then the rest of the longer."""
    both = min(len(first), len(second))
    for pair in zip(first, second, strict=False):
        yield from pair
    yield from first[both:]
    yield from second[both:]


def _take_turns(
    queues: list[tuple[str, Iterator[int]]], users: np.ndarray, items: np.ndarray, count: int
) -> list[Pick]:
    picks: list[Pick] = []
    seen_users: set[bytes] = set()
    seen_items: set[bytes] = set()

    def is_fresh(place: int) -> bool:
        return users[place] not in seen_users and items[place] not in seen_items

    while queues and len(picks) < count:
        reason, queue = queues.pop(0)
        # Whoever is passed over here was seen, and stays so.
        place = next(filter(is_fresh, queue), None)
        if place is not None:
            picks.append(Pick(place, reason))
            seen_users.add(users[place])
            seen_items.add(items[place])
            queues.append((reason, queue))
    return picks
