"""The products of the marketplace and how often they are shown."""

from dataclasses import dataclass

import numpy as np

from sources.marketplace.clock import DAY, START, spread
from sources.marketplace.params import MarketplaceParams
from sources.marketplace.randomness import make_rng
from sources.marketplace.style import PATTERN, normalize_blocks, random_styles

_BASE_AGE_DAYS = 365


@dataclass(frozen=True)
class Catalog:
    """The products, ordered by creation: row i is item i.

    Attributes:
        item_ids: string array `[n]`.
        created_at: int64 `[n]`, microseconds since 1970, ascending.
        category: int64 `[n]`.
        shop: int64 `[n]`.
        family: int64 `[n]`, the row of the first item with this category, shape and palette.
        style: float32 `[n, STYLE_DIM]`.
        quality: float32 `[n]`, standard normal; no picture and no title shows it.
        popularity: float64 `[n]`, weight among the items shown.
    """

    item_ids: np.ndarray
    created_at: np.ndarray
    category: np.ndarray
    shop: np.ndarray
    family: np.ndarray
    style: np.ndarray
    quality: np.ndarray
    popularity: np.ndarray

    def __len__(self) -> int:
        return len(self.item_ids)


def make_catalog(params: MarketplaceParams) -> Catalog:
    """Makes the products: a base that exists at the start and new ones for every day."""
    rng = make_rng(params.seed, "catalog")
    count = params.num_items
    created_at = _creation_times(rng, params)
    family = _families(rng, params)
    category = rng.integers(0, params.num_categories, count)
    # Every category has an item from the beginning.
    category[: params.num_categories] = np.arange(params.num_categories)
    category = category[family]
    style = random_styles(rng, count)
    pattern = style[:, PATTERN].copy()
    style = style[family]
    style[:, PATTERN] = pattern
    shop = _long_tailed_choice(rng, params.num_shops, count)
    shared = params.shop_quality_share
    quality = np.sqrt(shared) * rng.standard_normal(params.num_shops)[shop]
    quality = quality + np.sqrt(1 - shared) * rng.standard_normal(count)
    return Catalog(
        item_ids=np.array([f"i{i:07d}" for i in range(count)], object),
        created_at=created_at,
        category=category,
        shop=shop,
        family=family,
        style=normalize_blocks(style),
        quality=quality.astype(np.float32),
        popularity=_popularity(rng, params, quality),
    )


def _creation_times(rng: np.random.Generator, params: MarketplaceParams) -> np.ndarray:
    base = max(round(params.num_items * params.base_share), params.num_categories)
    times = [START - rng.integers(1, _BASE_AGE_DAYS * DAY, base)]
    for day, count in enumerate(spread(params.num_items - base, params.num_days)):
        times.append(START + day * DAY + rng.integers(0, DAY, count))
    return np.sort(np.concatenate(times))


def _families(rng: np.random.Generator, params: MarketplaceParams) -> np.ndarray:
    """Every item's family: its own row, or that of an earlier item of which it is a variant."""
    count = params.num_items
    is_variant = rng.random(count) < params.variant_share
    is_variant[: params.num_categories] = False
    parent = (rng.random(count) * np.arange(count)).astype(np.int64)
    family = np.arange(count)
    for item in np.flatnonzero(is_variant):
        family[item] = family[parent[item]]
    return family


def _long_tailed_choice(rng: np.random.Generator, choices: int, count: int) -> np.ndarray:
    weights = 1 / (np.arange(choices) + 5.0)
    return rng.choice(choices, count, p=weights / weights.sum())


def _popularity(rng: np.random.Generator, params: MarketplaceParams, quality: np.ndarray) -> np.ndarray:
    shared = params.popularity_quality_correlation
    appeal = shared * quality + np.sqrt(1 - shared**2) * rng.standard_normal(len(quality))
    rank = np.empty(len(quality))
    rank[np.argsort(-appeal)] = np.arange(1, len(quality) + 1)
    return (rank + params.popularity_offset) ** -params.popularity_exponent
