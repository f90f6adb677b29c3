"""The AUC of the same predictions under many weights."""

import numpy as np


class WeightedAuc:
    """The AUC of the same predictions under many weights of their impressions, with one sort.

    An impression of weight 3 counts as three equal ones. The AUC is then the weight of the (clicked, not clicked)
    pairs in which the clicked one is predicted higher, a tie counting one half, over that of all such pairs.

    Args:
        clicked: bool `[impressions]`.
        predictions: float `[impressions]`, any scores.
    """

    def __init__(self, clicked: np.ndarray, predictions: np.ndarray) -> None:
        self._order = np.argsort(predictions)
        in_order = predictions[self._order]
        self._clicked = clicked[self._order].astype(float)
        # Where each run of equal predictions begins.
        self._starts = np.flatnonzero(np.r_[True, in_order[1:] != in_order[:-1]])

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        """The AUCs.

        Args:
            weights: `[weightings, impressions]`, at least 0.
        Returns:
            float64 `[weightings]`, NaN where the clicked or the others have no weight.
        """
        weights = weights[:, self._order]
        clicks = np.add.reduceat(weights * self._clicked, self._starts, axis=1)
        others = np.add.reduceat(weights * (1 - self._clicked), self._starts, axis=1)
        # Those predicted lower, and of those predicted the same one half.
        beaten = np.cumsum(others, axis=1) - others / 2
        with np.errstate(invalid="ignore"):
            return (clicks * beaten).sum(axis=1) / (clicks.sum(axis=1) * others.sum(axis=1))
