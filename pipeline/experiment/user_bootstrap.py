"""How sure a difference of GAUCs is, given that other users might have come."""

import numpy as np

from pipeline.experiment.gain import CONFIDENCE

RESAMPLES = 1_000
_SEED = 0


def user_interval(differences: np.ndarray, impressions: np.ndarray) -> dict[str, float]:
    """The bootstrap's 95 % interval of a difference of GAUCs over test users.

    GAUC is a weighted mean over users, so each resample draws as many users as there are, with replacement, and
    takes the mean over those drawn:

        sum_u drawn_u · impressions_u · difference_u / sum_u drawn_u · impressions_u.

    The interval lies between the 0.025 and the 0.975 quantile of 1,000 resamples, always the same ones. It says
    what other users would give to the same models.

    Args:
        differences: float `[users]`, of a user's AUCs, averaged over the seeds; of users with both classes.
        impressions: int `[users]`.
    Returns:
        {"low", "high"}.
    Raises:
        ValueError: without a user.
    Source: Efron 1979, the percentile method.
    """
    if not len(differences):
        raise ValueError("a bootstrap needs at least one user, got none")
    generator = np.random.default_rng(_SEED)
    weighted = differences * impressions
    means = np.empty(RESAMPLES)
    for index in range(RESAMPLES):
        users = generator.integers(len(differences), size=len(differences))
        means[index] = weighted[users].sum() / impressions[users].sum()
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return {"low": float(low), "high": float(high)}
