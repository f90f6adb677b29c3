"""Predicted against observed click rate, from low to high predictions."""

import numpy as np
import numpy.typing as npt

# About as many points as a plot can show apart.
POINTS = 20


def calibration_curve(
    labels: npt.NDArray[np.floating], predictions: npt.NDArray[np.floating]
) -> npt.NDArray[np.float64]:
    """Averages predictions and labels over points of equal numbers of impressions.

    Click probabilities crowd at the low end, where buckets of equal width would leave one or two points. Equal
    predictions may lie in two neighboring points.

    Args:
        labels: `[n]`, 0 or 1.
        predictions: `[n]`, probabilities.
    Returns:
        float64 `[points, 3]`: mean prediction, mean label and impressions of each point, by rising prediction; at
        most POINTS points, and none empty.
    """
    order = np.argsort(predictions, kind="stable")
    parts = [part for part in np.array_split(order, POINTS) if len(part)]
    rows = [(predictions[part].mean(), labels[part].mean(), len(part)) for part in parts]
    return np.array(rows, np.float64).reshape(-1, 3)
