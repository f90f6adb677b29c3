"""Purchases: when what was found is bought."""

from dataclasses import dataclass

import numpy as np

from sources.marketplace.ads import Impressions
from sources.marketplace.clock import MINUTE
from sources.marketplace.params import MarketplaceParams
from sources.marketplace.searching import Searches


@dataclass(frozen=True)
class Purchases:
    """Purchases, each array int64 `[n]`.

    Attributes:
        user, item: rows of the audience and the catalog.
        timestamp: microseconds.
        search: number of the search over all days, or -1 where the log does not name it.
    """

    user: np.ndarray
    item: np.ndarray
    timestamp: np.ndarray
    search: np.ndarray

    def before(self, time: int) -> tuple["Purchases", "Purchases"]:
        """Those before `time`, in order, and the rest."""
        order = np.argsort(self.timestamp, kind="stable")
        count = np.searchsorted(self.timestamp[order], time)
        return self.select(order[:count]), self.select(order[count:])

    def select(self, rows: np.ndarray) -> "Purchases":
        return Purchases(**{name: values[rows] for name, values in vars(self).items()})


def no_purchases() -> Purchases:
    nothing = np.zeros(0, np.int64)
    return Purchases(nothing, nothing, nothing, nothing)


def join(parts: list[Purchases]) -> Purchases:
    names = vars(parts[0])
    return Purchases(**{name: np.concatenate([vars(part)[name] for part in parts]) for name in names})


def after_searches(
    rng: np.random.Generator, params: MarketplaceParams, searches: Searches, first_search: int
) -> Purchases:
    """What the searches led to; some of it loses its search_id on the way."""
    rows = np.flatnonzero(searches.bought >= 0)
    lost = rng.random(len(rows)) < params.lost_search_id_share
    return Purchases(
        user=searches.user[rows],
        item=searches.bought[rows],
        timestamp=searches.timestamp[rows] + _delays(rng, params, len(rows)),
        search=np.where(lost, -1, first_search + rows),
    )


def after_clicks(rng: np.random.Generator, params: MarketplaceParams, impressions: Impressions) -> Purchases:
    """What clicks on ads led to, without any search."""
    rows = np.flatnonzero(impressions.clicked)
    rows = rows[rng.random(len(rows)) < params.click_purchase_rate]
    return Purchases(
        user=impressions.user[rows],
        item=impressions.item[rows],
        timestamp=impressions.timestamp[rows] + _delays(rng, params, len(rows)),
        search=np.full(len(rows), -1),
    )


def _delays(rng: np.random.Generator, params: MarketplaceParams, count: int) -> np.ndarray:
    minutes = params.purchase_delay_minutes * np.exp(params.purchase_delay_sigma * rng.standard_normal(count))
    return 1 + (minutes * MINUTE).astype(np.int64)
