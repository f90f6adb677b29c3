"""The grouped AUC: how well each user's own impressions are ordered."""

import numpy as np
from numpy.typing import ArrayLike

from models.metrics.grouped_auc import grouped_auc


def gauc(users: ArrayLike, labels: ArrayLike, predictions: ArrayLike) -> float:
    """Computes the mean of users' AUCs, weighted by their impressions.

    A ranking only ever compares impressions of one user, so a model that merely tells active users from idle
    ones gains AUC and no GAUC. Users who clicked everything or nothing have no AUC and carry no weight:

        GAUC = sum_u impressions_u · AUC_u / sum_u impressions_u, over users u with both classes.

    Exact over what it is given; means of batches' GAUCs would not be, because a user's impressions are spread
    over batches.

    Args:
        users: `[n]`, the user of each impression, any values that sort.
        labels: `[n]`, 0 or 1 (or bool).
        predictions: `[n]`, any scores.
    Returns:
        The mean in [0, 1], or NaN where it is undefined: no user with both classes, or a NaN prediction of
        such a user.
    Raises:
        ValueError: if lengths differ or a label is neither 0 nor 1.
    Source: Sheng et al. 2024 (arXiv 2407.19467), section 6.1.4; Zhou et al. 2018 (arXiv 1706.06978).
    """
    result = grouped_auc(users, labels, predictions)
    both = (result.clicks > 0) & (result.clicks < result.impressions)
    if not both.any():
        return float("nan")
    return float(np.average(result.auc[both], weights=result.impressions[both]))
