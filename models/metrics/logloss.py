"""The mean negative log-likelihood of clicks."""

import numpy as np
from numpy.typing import ArrayLike

# A prediction of exactly 0 or 1 that fails would cost infinity and hide all others. float32, the models'
# type, tells 1 - 1e-7 from 1 and nothing much closer.
EPSILON = 1e-7


def logloss(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Computes -mean(y·ln p + (1-y)·ln(1-p)), with p clipped to [1e-7, 1 - 1e-7].

    Args:
        labels: `[n]`, 0 or 1 (or bool).
        predictions: `[n]`, probabilities.
    Returns:
        The loss in nats, or NaN of no impressions or of a NaN prediction.
    Raises:
        ValueError: if lengths differ.
    """
    labels = np.asarray(labels, dtype=np.float64)
    predictions = np.asarray(predictions, dtype=np.float64)
    if labels.shape != predictions.shape:
        raise ValueError(
            f"labels and predictions must be of one shape, got {labels.shape} and {predictions.shape}"
        )
    if not labels.size:
        return float("nan")
    probabilities = np.clip(predictions, EPSILON, 1 - EPSILON)
    return float(-np.mean(labels * np.log(probabilities) + (1 - labels) * np.log1p(-probabilities)))
