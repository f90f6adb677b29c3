"""Searches: what users wish for, what they are shown, click and buy."""

from dataclasses import dataclass

import numpy as np

from sources.marketplace.ads import style_match
from sources.marketplace.audience import Audience
from sources.marketplace.catalog import Catalog
from sources.marketplace.clock import DAY, START, times_of_day
from sources.marketplace.params import MarketplaceParams
from sources.marketplace.shelf import Shelf, pick_by_match
from sources.marketplace.style import STYLE_DIM, normalize_blocks

# Searches compared with a category's items at once; bounds the memory.
_BATCH = 256


@dataclass(frozen=True)
class Searches:
    """Searches of one day in the order of time.

    Attributes:
        user: int64 `[n]`, rows of the audience.
        timestamp: int64 `[n]`, microseconds.
        category: int64 `[n]`.
        wish: float32 `[n, STYLE_DIM]`, the style that the user looks for.
        by_picture: bool `[n]`, otherwise by words.
        results: int64 `[n, num_results]`, rows of the catalog as ranked; -1 where there are fewer.
        clicked: bool `[n, num_results]`.
        bought: int64 `[n]`, row of the catalog or -1.
    """

    user: np.ndarray
    timestamp: np.ndarray
    category: np.ndarray
    wish: np.ndarray
    by_picture: np.ndarray
    results: np.ndarray
    clicked: np.ndarray
    bought: np.ndarray


def search(
    rng: np.random.Generator,
    params: MarketplaceParams,
    catalog: Catalog,
    audience: Audience,
    shelf: Shelf,
    day: int,
    count: int,
) -> Searches:
    """Makes one day's searches with the clicks on their results and the choice to buy."""
    user = rng.choice(len(audience.activity), count, p=audience.activity)
    timestamp = START + day * DAY + times_of_day(rng, audience.clock_shift[user])
    order = np.argsort(timestamp, kind="stable")
    user, timestamp = user[order], timestamp[order]
    category = audience.draw_categories(rng, user)
    wish = _wishes(rng, params, catalog, audience, shelf, user, timestamp, category)
    by_picture = rng.random(count) < params.picture_search_share
    noise = np.where(by_picture, params.picture_ranking_noise, params.words_ranking_noise)
    results = np.full((count, params.num_results), -1)
    for start in range(0, count, _BATCH):
        for one in np.unique(category[start : start + _BATCH]):
            rows = start + np.flatnonzero(category[start : start + _BATCH] == one)
            best = _rank(rng, params, catalog, shelf.members(one), wish[rows], timestamp[rows], noise[rows])
            results[rows, : best.shape[1]] = best
    clicked, bought = _choose(rng, params, catalog, wish, results)
    return Searches(user, timestamp, category, wish, by_picture, results, clicked, bought)


def _wishes(
    rng: np.random.Generator,
    params: MarketplaceParams,
    catalog: Catalog,
    audience: Audience,
    shelf: Shelf,
    user: np.ndarray,
    timestamp: np.ndarray,
    category: np.ndarray,
) -> np.ndarray:
    """A wish is near an item of the user's taste that was seen somewhere; it need not be on sale exactly."""
    candidates = shelf.draw_in_categories(rng, category, timestamp, params.wish_candidates)
    match = style_match(catalog, audience, user[:, None], candidates)
    seen = pick_by_match(rng, candidates, match, params.wish_strength)
    noise = params.wish_noise * rng.standard_normal((len(user), STYLE_DIM))
    return normalize_blocks(catalog.style[seen] + noise)


def _rank(
    rng: np.random.Generator,
    params: MarketplaceParams,
    catalog: Catalog,
    members: np.ndarray,
    wish: np.ndarray,
    timestamp: np.ndarray,
    noise: np.ndarray,
) -> np.ndarray:
    """The best results of one category for each wish, `[n, at most num_results]`, -1 where none is left."""
    similarity = wish @ catalog.style[members].T
    similarity[catalog.created_at[members] >= timestamp[:, None]] = -np.inf
    # Noise moves an item a few places: ranking four times as many as are shown is enough.
    kept = min(4 * params.num_results, len(members))
    near = np.argpartition(-similarity, kept - 1, axis=1)[:, :kept]
    score = np.take_along_axis(similarity, near, axis=1)
    score = score + noise[:, None] * rng.standard_normal(score.shape)
    order = np.argsort(-score, axis=1, kind="stable")[:, : params.num_results]
    exists = np.isfinite(np.take_along_axis(score, order, axis=1))
    return np.where(exists, members[np.take_along_axis(near, order, axis=1)], -1)


def _choose(
    rng: np.random.Generator,
    params: MarketplaceParams,
    catalog: Catalog,
    wish: np.ndarray,
    results: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Users click the results that appeal most and may buy the one that fits best of all."""
    similarity = (catalog.style[results] * wish[:, None]).sum(axis=-1)
    appeal = similarity + params.search_quality_weight * catalog.quality[results]
    appeal = appeal + params.choice_noise * rng.standard_normal(results.shape)
    appeal[results < 0] = -np.inf
    num_clicks = 1 + rng.poisson(params.mean_search_clicks - 1, len(results))
    place = np.argsort(np.argsort(-appeal, axis=1, kind="stable"), axis=1)
    clicked = (place < num_clicks[:, None]) & (results >= 0)
    best = results[np.arange(len(results)), np.argmax(appeal, axis=1)]
    return clicked, np.where(rng.random(len(results)) < params.search_purchase_rate, best, -1)
