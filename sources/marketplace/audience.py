"""The shoppers: who they are, what they like, when and how often they come."""

from dataclasses import dataclass

import numpy as np

from sources.marketplace.params import MarketplaceParams
from sources.marketplace.randomness import make_rng
from sources.marketplace.style import STYLE_DIM, normalize_blocks

GENDERS = ("female", "male")
AGE_GROUPS = ("18-24", "25-34", "35-44", "45-54", "55+")
_AGE_SHARES = (0.2, 0.3, 0.22, 0.16, 0.12)
_NUM_CITIES = 20
_CLOCK_SHIFT_HOURS = 2.0


@dataclass(frozen=True)
class Audience:
    """The users, row i is user i.

    Attributes:
        user_ids: string array `[n]`.
        gender, age_group, city: string arrays `[n]`.
        taste: float32 `[n, categories, STYLE_DIM]`, the style that the user likes best in each category.
        liking: float32 `[n, categories]`, standard normal liking of the categories.
        category_chances: float64 `[n, categories]`, in which category the user looks around.
        inclination: float32 `[n]`, standard normal inclination to click.
        activity: float64 `[n]`, share of the visits.
        clock_shift: float64 `[n]`, hours by which the user's day is moved.
    """

    user_ids: np.ndarray
    gender: np.ndarray
    age_group: np.ndarray
    city: np.ndarray
    taste: np.ndarray
    liking: np.ndarray
    category_chances: np.ndarray
    inclination: np.ndarray
    activity: np.ndarray
    clock_shift: np.ndarray

    def draw_categories(self, rng: np.random.Generator, users: np.ndarray) -> np.ndarray:
        """One category for each of `users`, from the user's own chances."""
        bounds = np.cumsum(self.category_chances, axis=1)[users]
        drawn = (rng.random(len(users))[:, None] * bounds[:, -1:] >= bounds).sum(axis=1)
        return np.minimum(drawn, bounds.shape[1] - 1)


def make_audience(params: MarketplaceParams) -> Audience:
    """Makes the users; gender and age group shift tastes, the city says nothing about them."""
    rng = make_rng(params.seed, "audience")
    count, categories = params.num_users, params.num_categories
    gender = rng.integers(0, len(GENDERS), count)
    age_group = rng.choice(len(AGE_GROUPS), count, p=_AGE_SHARES)
    group = gender * len(AGE_GROUPS) + age_group
    liking = _mix_group(rng, params, group, (categories,))
    chances = np.exp(params.category_concentration * liking)
    activity = np.exp(params.activity_sigma * rng.standard_normal(count))
    cities = rng.choice(_NUM_CITIES, count, p=_normalize(1 / (np.arange(_NUM_CITIES) + 2.0)))
    return Audience(
        user_ids=np.array([f"u{i:06d}" for i in range(count)], object),
        gender=np.array(GENDERS, object)[gender],
        age_group=np.array(AGE_GROUPS, object)[age_group],
        city=np.array([f"city{i:02d}" for i in range(_NUM_CITIES)], object)[cities],
        taste=_tastes(rng, params, group),
        liking=liking.astype(np.float32),
        category_chances=chances / chances.sum(axis=1, keepdims=True),
        inclination=rng.standard_normal(count).astype(np.float32),
        activity=_normalize(activity),
        clock_shift=_CLOCK_SHIFT_HOURS * rng.standard_normal(count),
    )


def _tastes(rng: np.random.Generator, params: MarketplaceParams, group: np.ndarray) -> np.ndarray:
    """Mixes what the demographic group, the user and the user in one category like."""
    count, categories = params.num_users, params.num_categories
    particular = params.category_taste_share
    general = 1 - particular - params.demographic_share
    of_group = rng.standard_normal((len(GENDERS) * len(AGE_GROUPS), 1, STYLE_DIM))[group]
    of_user = rng.standard_normal((count, 1, STYLE_DIM))
    of_category = rng.standard_normal((count, categories, STYLE_DIM))
    return normalize_blocks(
        np.sqrt(params.demographic_share) * of_group
        + np.sqrt(general) * of_user
        + np.sqrt(particular) * of_category
    )


def _mix_group(
    rng: np.random.Generator, params: MarketplaceParams, group: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    of_group = rng.standard_normal((len(GENDERS) * len(AGE_GROUPS), *shape))[group]
    own = rng.standard_normal((len(group), *shape))
    return np.sqrt(params.demographic_share) * of_group + np.sqrt(1 - params.demographic_share) * own


def _normalize(weights: np.ndarray) -> np.ndarray:
    return weights / weights.sum()
