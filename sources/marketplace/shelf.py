"""What can be shown at a time: draws of existing items by popularity."""

import numpy as np

from sources.marketplace.catalog import Catalog
from sources.marketplace.clock import DAY, START
from sources.marketplace.params import MarketplaceParams


class Shelf:
    """Draws items by one day's popularity among those that exist at the time of each draw.

    Items are ordered by creation, so those that exist at a time are a prefix and one cumulative sum of the
    weights serves every time.

    Args:
        catalog: the products.
        params: freshness_boost and freshness_days raise the weights of new items.
        day: the day from 0.
    """

    def __init__(self, catalog: Catalog, params: MarketplaceParams, day: int) -> None:
        self.catalog = catalog
        age_days = np.maximum(START + day * DAY - catalog.created_at, 0) / DAY
        boost = params.freshness_boost * np.exp(-age_days / max(params.freshness_days, 1e-9))
        weights = catalog.popularity * (1 + boost)
        self._all = (np.arange(len(catalog)), np.cumsum(weights))
        self._members = []
        for category in range(params.num_categories):
            rows = np.flatnonzero(catalog.category == category)
            self._members.append((rows, np.cumsum(weights[rows])))

    def members(self, category: int) -> np.ndarray:
        """The category's items in the order of creation."""
        return self._members[category][0]

    def draw(self, rng: np.random.Generator, times: np.ndarray) -> np.ndarray:
        """One item for each of `times` `[n]`, of any category."""
        return self._draw(rng, times, *self._all)

    def draw_in_categories(
        self, rng: np.random.Generator, categories: np.ndarray, times: np.ndarray, count: int
    ) -> np.ndarray:
        """`count` items, with repetition, for each of `times`: int64 `[n, count]`."""
        items = np.empty((len(times), count), np.int64)
        for category in np.unique(categories):
            rows = np.flatnonzero(categories == category)
            drawn = self._draw(rng, np.repeat(times[rows], count), *self._members[category])
            items[rows] = drawn.reshape(len(rows), count)
        return items

    def _draw(
        self, rng: np.random.Generator, times: np.ndarray, rows: np.ndarray, bounds: np.ndarray
    ) -> np.ndarray:
        existing = np.searchsorted(self.catalog.created_at[rows], times, side="left")
        places = np.searchsorted(bounds, rng.random(len(times)) * bounds[existing - 1], side="right")
        return rows[np.minimum(places, existing - 1)]


def pick_by_match(
    rng: np.random.Generator, candidates: np.ndarray, match: np.ndarray, strength: float
) -> np.ndarray:
    """One of the candidates `[n, k]` in each row, with a chance that grows as exp(strength * match)."""
    best = np.argmax(strength * match + rng.gumbel(size=match.shape), axis=1)
    return candidates[np.arange(len(candidates)), best]
