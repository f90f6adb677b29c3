"""Predicted over observed clicks."""

import numpy as np
from numpy.typing import ArrayLike


def calibration(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Computes the sum of predicted probabilities over the number of clicks.

    1 says that as many clicks came as were foretold, 1.1 that the model promises ten percent too many.

    Args:
        labels: `[n]`, 0 or 1 (or bool).
        predictions: `[n]`, probabilities.
    Returns:
        The ratio, or NaN where nothing was clicked.
    Raises:
        ValueError: if lengths differ.
    """
    labels = np.asarray(labels, dtype=np.float64)
    predictions = np.asarray(predictions, dtype=np.float64)
    if labels.shape != predictions.shape:
        raise ValueError(
            f"labels and predictions must be of one shape, got {labels.shape} and {predictions.shape}"
        )
    clicks = labels.sum()
    return float(predictions.sum() / clicks) if clicks else float("nan")
