"""The area under the ROC curve."""

import numpy as np
from numpy.typing import ArrayLike

from models.metrics.grouped_auc import grouped_auc


def auc(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Computes the area under the ROC curve, exactly: by ranks and not by thresholds.

    It is the probability that a clicked impression is predicted higher than one not clicked, a tie counting
    one half.

    Args:
        labels: `[n]`, 0 or 1 (or bool).
        predictions: `[n]`, any scores.
    Returns:
        The area in [0, 1], or NaN where it is undefined: one class alone, or a NaN prediction.
    Raises:
        ValueError: if lengths differ or a label is neither 0 nor 1.
    """
    result = grouped_auc(np.zeros(np.shape(labels), dtype=np.int8), labels, predictions)
    return float(result.auc[0]) if result.auc.size else float("nan")
