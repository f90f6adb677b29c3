"""How sure a difference is, given that other users might have come."""

from collections.abc import Iterator

import numpy as np

from pipeline.experiment.gain import CONFIDENCE

RESAMPLES = 1_000
_SEED = 0
# Of an array with a number for each resample of a block and each row.
_MAX_CELLS = 4_000_000


def user_interval(differences: np.ndarray, impressions: np.ndarray) -> dict[str, float] | None:
    """The bootstrap's 95 % interval of a difference of GAUCs over test users.

    GAUC is a weighted mean over users, so each resample draws as many users as there are, with replacement, and
    takes the mean over those drawn:

        sum_u drawn_u · impressions_u · difference_u / sum_u drawn_u · impressions_u.

    It says what other users would give to the same models.

    Args:
        differences: float `[users]`, of a user's AUCs, averaged over the seeds; of users with both classes.
        impressions: int `[users]`.
    Returns:
        As `percentile_interval` gives it.
    Raises:
        ValueError: without a user.
    """
    users = len(differences)
    weighted = differences * impressions
    return percentile_interval(
        np.concatenate([drawn @ weighted / (drawn @ impressions) for drawn in draw_users(users, users)])
    )


def draw_users(users: int, rows: int) -> Iterator[np.ndarray]:
    """Draws as many users as there are, with replacement, 1,000 times, always the same ones.

    Args:
        users: how many there are.
        rows: the length of the longest array that is made for each resample; the more, the smaller the blocks.
    Yields:
        int64 `[resamples, users]`, how often each user is drawn: a block of the resamples.
    Raises:
        ValueError: without a user.
    """
    if not users:
        raise ValueError("a bootstrap needs at least one user, got none")
    generator = np.random.default_rng(_SEED)
    block = max(1, _MAX_CELLS // max(users, rows))
    for start in range(0, RESAMPLES, block):
        drawn = [generator.integers(users, size=users) for _ in range(start, min(start + block, RESAMPLES))]
        yield np.stack([np.bincount(each, minlength=users) for each in drawn])


def percentile_interval(values: np.ndarray) -> dict[str, float] | None:
    """The 95 % interval of a bootstrap: between the 0.025 and the 0.975 quantile of its resamples.

    Args:
        values: float `[resamples]`, not finite where a figure is not defined, as the AUC of users who clicked
            nothing: such resamples are left out.
    Returns:
        {"low", "high"}, or None if no resample has a figure.
    Source: Efron 1979, the percentile method.
    """
    known = values[np.isfinite(values)]
    if not known.size:
        return None
    low, high = np.quantile(known, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return {"low": float(low), "high": float(high)}
