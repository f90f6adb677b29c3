"""Ads: who sees which item when, and who clicks."""

from dataclasses import dataclass

import numpy as np

from sources.marketplace.audience import Audience
from sources.marketplace.catalog import Catalog
from sources.marketplace.clock import DAY, MINUTE, START, times_of_day
from sources.marketplace.params import MarketplaceParams
from sources.marketplace.shelf import Shelf, pick_by_match
from sources.marketplace.style import MATCH_SCALE

PLACEMENTS = ("feed_top", "feed", "item_page", "cart")
_PLACEMENT_SHARES = (0.2, 0.45, 0.25, 0.1)
_PLACEMENT_EFFECTS = np.array([0.6, 0.0, -0.2, -0.6])
_IMPRESSIONS_PER_VISIT = 8
_VISIT = 20 * MINUTE


@dataclass(frozen=True)
class Impressions:
    """Ads of one day in the order of time, each array `[n]`.

    Attributes:
        user, item: int64, rows of the audience and the catalog.
        timestamp: int64 microseconds.
        placement: int64, index into PLACEMENTS.
        click_probability: float64, the true chance of the click.
        clicked: bool.
    """

    user: np.ndarray
    item: np.ndarray
    timestamp: np.ndarray
    placement: np.ndarray
    click_probability: np.ndarray
    clicked: np.ndarray


def show_ads(
    rng: np.random.Generator,
    params: MarketplaceParams,
    catalog: Catalog,
    audience: Audience,
    shelf: Shelf,
    day: int,
    count: int,
) -> Impressions:
    """Shows `count` ads on one day and draws the clicks."""
    user, timestamp = _visits(rng, audience, day, count)
    item = shelf.draw(rng, timestamp)
    targeted = np.flatnonzero(rng.random(count) < params.targeted_share)
    item[targeted] = _target(rng, params, catalog, audience, shelf, user[targeted], timestamp[targeted])
    placement = rng.choice(len(PLACEMENTS), count, p=_PLACEMENT_SHARES)
    probability = click_probability(params, catalog, audience, user, item, placement)
    clicked = rng.random(count) < probability
    return Impressions(user, item, timestamp, placement, probability, clicked)


def style_match(catalog: Catalog, audience: Audience, user: np.ndarray, item: np.ndarray) -> np.ndarray:
    """How well items `[n, k]` fit the tastes of users `[n, 1]`: mean 0 and variance 1 over random pairs."""
    taste = audience.taste[user, catalog.category[item]]
    return MATCH_SCALE * (taste * catalog.style[item]).sum(axis=-1)


def click_probability(
    params: MarketplaceParams,
    catalog: Catalog,
    audience: Audience,
    user: np.ndarray,
    item: np.ndarray,
    placement: np.ndarray,
) -> np.ndarray:
    """The true click probability of impressions, all arrays `[n]`."""
    logit = (
        params.base_logit
        + params.taste_weight * style_match(catalog, audience, user, item)
        + params.category_weight * audience.liking[user, catalog.category[item]]
        + params.quality_weight * catalog.quality[item]
        + params.user_weight * audience.inclination[user]
        + params.placement_weight * _PLACEMENT_EFFECTS[placement]
    )
    considered = 1 - params.accident_rate - params.inattention_rate
    return params.accident_rate + considered / (1 + np.exp(-logit))


def _visits(
    rng: np.random.Generator, audience: Audience, day: int, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Users and times of `count` impressions, which come in visits of some minutes."""
    num_visits = -(-count // _IMPRESSIONS_PER_VISIT)
    visitor = rng.choice(len(audience.activity), num_visits, p=audience.activity)
    begin = times_of_day(rng, audience.clock_shift[visitor])
    visit = rng.integers(0, num_visits, count)
    duration = np.minimum(_VISIT, DAY - begin[visit])
    timestamp = START + day * DAY + begin[visit] + (rng.random(count) * duration).astype(np.int64)
    order = np.argsort(timestamp, kind="stable")
    return visitor[visit][order], timestamp[order]


def _target(
    rng: np.random.Generator,
    params: MarketplaceParams,
    catalog: Catalog,
    audience: Audience,
    shelf: Shelf,
    user: np.ndarray,
    timestamp: np.ndarray,
) -> np.ndarray:
    categories = audience.draw_categories(rng, user)
    candidates = shelf.draw_in_categories(rng, categories, timestamp, params.targeting_candidates)
    match = style_match(catalog, audience, user[:, None], candidates)
    return pick_by_match(rng, candidates, match, params.targeting_strength)
