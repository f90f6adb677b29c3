"""How well clicks could be predicted by someone who knew their true probabilities."""

import numpy as np


def auc(scores: np.ndarray, clicked: np.ndarray) -> float:
    """The chance that a clicked impression has a higher score than one not clicked; ties count half.

    Args:
        scores: float `[n]`.
        clicked: bool `[n]`.
    Returns:
        NaN where one of the two kinds is missing.
    """
    _, rank_of, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[rank_of]
    positives = int(clicked.sum())
    negatives = len(clicked) - positives
    if positives == 0 or negatives == 0:
        return float("nan")
    return float((ranks[clicked].sum() - positives * (positives + 1) / 2) / (positives * negatives))


class Oracle:
    """Collects true probabilities and clicks of the last impressions and gives the best possible AUC.

    Args:
        skip: impressions that pass before it collects.
    """

    def __init__(self, skip: int) -> None:
        self.skip = skip
        self.seen = 0
        self.clicks = 0
        self._scores: list[np.ndarray] = []
        self._clicked: list[np.ndarray] = []

    def add(self, click_probability: np.ndarray, clicked: np.ndarray) -> None:
        """The next impressions in the order of time, both arrays `[n]`."""
        late = slice(max(self.skip - self.seen, 0), None)
        self.seen += len(clicked)
        self.clicks += int(clicked.sum())
        self._scores.append(click_probability[late])
        self._clicked.append(clicked[late])

    def auc(self) -> float:
        """Over the impressions collected so far."""
        return auc(np.concatenate(self._scores), np.concatenate(self._clicked))
