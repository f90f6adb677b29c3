"""The parameters of the simulated marketplace."""

import math
from dataclasses import dataclass, fields

from sources.marketplace.silhouettes import SILHOUETTES
from transforms.input_error import InputError


@dataclass(frozen=True)
class MarketplaceParams:
    """The parameters of the simulated marketplace, checked when made.

    A weight is the standard deviation that its term has in the logit of a click over random pairs of users
    and items; docs/marketplace.md has the formulas.

    Attributes:
        seed: every random number follows from it.
        num_days: days of logs, from 2024-01-01 UTC.
        num_items: items of the catalog, those that appear during the days included.
        num_users: shoppers.
        num_categories: product categories, each with its own silhouette.
        num_shops: shops; their sizes are long-tailed.
        num_impressions: ads shown over all days.
        num_searches: searches over all days.
        picture_size: side of the square pictures in pixels.
        base_share: share of the catalog that exists when the logs begin; the rest appears evenly, every day.
        variant_share: chance that an item is a variant: an earlier item's category, shape and palette with
            another pattern.
        shop_quality_share: share of the variance of quality that the items of a shop have in common.
        popularity_exponent: an item's chance to be shown falls as (rank + popularity_offset) ** -exponent.
        popularity_offset: flattens the head of the popularity curve.
        popularity_quality_correlation: correlation of quality with the variable that ranks popularity.
        freshness_boost: a new item is shown 1 + freshness_boost times as often as its rank says.
        freshness_days: days after which that boost has fallen to 1/e.
        activity_sigma: sigma of the lognormal activity of users; 0 makes all equally active.
        demographic_share: share of the variance of tastes that gender and age group explain.
        category_taste_share: share of the variance of a user's taste that is particular to a category.
        category_concentration: how much users keep to their favorite categories; 0 makes all alike to them.
        targeted_share: share of the ads that the ad server picks for the user, in a category that the user
            likes; the others are picked by popularity alone.
        targeting_candidates: popular items among which a targeted ad is picked.
        targeting_strength: inverse temperature of that pick by the match with the user's taste.
        base_logit: logit of a click where all effects are zero.
        taste_weight: weight of the match of the item's style with the user's taste.
        category_weight: weight of the user's liking of the category.
        quality_weight: weight of the item's quality.
        user_weight: weight of the user's own inclination to click.
        placement_weight: factor on the effects of the placements.
        accident_rate: share of impressions clicked by accident, whatever they show.
        inattention_rate: share of impressions that nobody looks at.
        click_purchase_rate: chance that a click on an ad ends in a purchase, without a search.
        picture_search_share: share of searches by picture; the others are by words.
        wish_candidates: popular items among which a searching user finds the wish.
        wish_strength: inverse temperature of that pick by the match with the user's taste.
        wish_noise: standard deviation, in each style dimension, of the wish around the item that inspired it.
        num_results: results that a search shows.
        picture_ranking_noise: noise of the similarity by which results of a picture are ranked.
        words_ranking_noise: the same for words, which say less.
        mean_search_clicks: mean number of results clicked, the first included.
        search_quality_weight: what a standard deviation of quality is worth, in similarity, when choosing.
        choice_noise: noise of the choice among the results, in similarity.
        search_purchase_rate: chance that a search ends in a purchase.
        purchase_delay_minutes: median time from the search or click to the purchase.
        purchase_delay_sigma: sigma of that lognormal delay.
        lost_search_id_share: share of purchases after a search whose search_id is null.
    """

    seed: int = 1
    num_days: int = 14
    num_items: int = 3_000
    num_users: int = 1_000
    num_categories: int = 12
    num_shops: int = 150
    num_impressions: int = 100_000
    num_searches: int = 12_000
    picture_size: int = 64
    base_share: float = 0.7
    variant_share: float = 0.35
    shop_quality_share: float = 0.3
    popularity_exponent: float = 1.0
    popularity_offset: float = 10.0
    popularity_quality_correlation: float = 0.3
    freshness_boost: float = 3.0
    freshness_days: float = 2.0
    activity_sigma: float = 1.0
    demographic_share: float = 0.2
    category_taste_share: float = 0.3
    category_concentration: float = 1.5
    targeted_share: float = 0.5
    targeting_candidates: int = 6
    targeting_strength: float = 2.0
    base_logit: float = -3.1
    taste_weight: float = 1.0
    category_weight: float = 0.5
    quality_weight: float = 0.6
    user_weight: float = 0.4
    placement_weight: float = 1.0
    accident_rate: float = 0.02
    inattention_rate: float = 0.1
    click_purchase_rate: float = 0.06
    picture_search_share: float = 0.5
    wish_candidates: int = 8
    wish_strength: float = 3.0
    wish_noise: float = 0.05
    num_results: int = 10
    picture_ranking_noise: float = 0.05
    words_ranking_noise: float = 0.15
    mean_search_clicks: float = 2.5
    search_quality_weight: float = 0.05
    choice_noise: float = 0.05
    search_purchase_rate: float = 0.6
    purchase_delay_minutes: float = 25.0
    purchase_delay_sigma: float = 1.2
    lost_search_id_share: float = 0.2

    def __post_init__(self) -> None:
        for field in fields(self):
            _check_number(field.name, getattr(self, field.name), field.type is int)
        _check_range("num_categories", self.num_categories, 1, len(SILHOUETTES))
        _check_range("num_items", self.num_items, 2 * self.num_categories, math.inf)
        _check_range("picture_size", self.picture_size, 16, 512)
        for name in _COUNTS:
            _check_range(name, getattr(self, name), 1, math.inf)
        for name in _SHARES:
            _check_range(name, getattr(self, name), 0.0, 1.0)
        for name in _AMOUNTS:
            _check_range(name, getattr(self, name), 0.0, math.inf)
        _check_range("demographic_share + category_taste_share", self._shared_taste(), 0.0, 1.0)
        _check_range("accident_rate + inattention_rate", self.accident_rate + self.inattention_rate, 0.0, 1.0)

    def _shared_taste(self) -> float:
        return self.demographic_share + self.category_taste_share


_COUNTS = (
    *("num_days", "num_users", "num_shops", "num_impressions", "num_searches"),
    *("targeting_candidates", "wish_candidates", "num_results", "mean_search_clicks"),
)
_SHARES = (
    *("base_share", "variant_share", "shop_quality_share", "popularity_quality_correlation"),
    *("targeted_share", "click_purchase_rate", "picture_search_share", "search_purchase_rate"),
    *("demographic_share", "category_taste_share", "accident_rate", "inattention_rate"),
    "lost_search_id_share",
)
_AMOUNTS = (
    *("seed", "popularity_exponent", "popularity_offset", "freshness_boost", "activity_sigma"),
    *("category_concentration", "targeting_strength", "taste_weight", "category_weight", "quality_weight"),
    *("user_weight", "placement_weight", "wish_strength", "wish_noise", "picture_ranking_noise"),
    *("words_ranking_noise", "search_quality_weight", "choice_noise", "purchase_delay_minutes"),
    *("purchase_delay_sigma", "freshness_days"),
)


def _check_number(name: str, value: object, whole: bool) -> None:
    kinds = int if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not math.isfinite(value):
        expected = "an integer" if whole else "a number"
        raise InputError(f"marketplace: {name} must be {expected}, got {value!r}")


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        bound = f"at least {low}" if high == math.inf else f"from {low} to {high}"
        raise InputError(f"marketplace: {name} must be {bound}, got {value}")
