"""Improvements by frequency group, had other users come."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from models.metrics.logloss import EPSILON
from pipeline.experiment.held_out_clicks import HeldOutClicks
from pipeline.experiment.user_bootstrap import draw_users
from pipeline.experiment.weighted_auc import WeightedAuc

# From weights `[resamples, impressions]` to a figure of each resample.
_Figure = Callable[[np.ndarray], np.ndarray]


class Resampled(NamedTuple):
    """Improvements by frequency group in each resample of the test users, in the groups' order.

    Attributes:
        impressions: int64 `[groups, resamples]`.
        improvements: by "auc" and "logloss", float64 `[groups, resamples]`: the seeds' mean of the relative
            improvement; not finite where it is not defined, as without a click.
    """

    impressions: np.ndarray
    improvements: dict[str, np.ndarray]


def resample(
    baseline: Sequence[np.ndarray], predictions: Sequence[np.ndarray], clicks: HeldOutClicks
) -> Resampled:
    """Draws users with replacement; an impression counts as often as its user is drawn.

    All groups see the same draws, so that their improvements can be compared draw by draw.

    Args:
        baseline: float32 `[impressions]` by seed.
        predictions: what is compared with it, of the same seeds.
        clicks: the test split.
    """
    names, users = np.unique(clicks.users, return_inverse=True)
    groups = [np.flatnonzero(clicks.groups == group) for group in np.unique(clicks.groups)]
    figures = [
        _Improvements(clicks.clicked[rows], _at(baseline, rows), _at(predictions, rows)) for rows in groups
    ]
    blocks = []
    for drawn in draw_users(len(names), max(map(len, groups))):
        weights = (drawn[:, users[rows]] for rows in groups)
        blocks.append([figure(weight) for figure, weight in zip(figures, weights, strict=True)])
    # [block][group][figure][resamples] to [figure][group][resamples of all blocks].
    impressions, auc, logloss = np.concatenate(blocks, axis=2).transpose(1, 0, 2)
    return Resampled(impressions.astype(np.int64), {"auc": auc, "logloss": logloss})


class _Improvements:
    """Impressions and the improvements of AUC and LogLoss of one group, by weights of its impressions."""

    def __init__(
        self, clicked: np.ndarray, baseline: Sequence[np.ndarray], predictions: Sequence[np.ndarray]
    ) -> None:
        self._aucs = [
            (WeightedAuc(clicked, own), WeightedAuc(clicked, base))
            for own, base in zip(predictions, baseline, strict=True)
        ]
        self._losses = [
            (_MeanLoss(clicked, own), _MeanLoss(clicked, base))
            for own, base in zip(predictions, baseline, strict=True)
        ]

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        """float64 `[3, resamples]`."""
        return np.stack([weights.sum(axis=1), _change(self._aucs, weights), -_change(self._losses, weights)])


class _MeanLoss:
    """LogLoss by weights of the impressions."""

    def __init__(self, clicked: np.ndarray, predictions: np.ndarray) -> None:
        probabilities = np.clip(predictions.astype(float), EPSILON, 1 - EPSILON)
        self._losses = -np.where(clicked, np.log(probabilities), np.log1p(-probabilities))

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return weights @ self._losses / weights.sum(axis=1)


def _change(pairs: Sequence[tuple[_Figure, _Figure]], weights: np.ndarray) -> np.ndarray:
    """The seeds' mean of the relative difference."""
    own, base = (np.stack([figure(weights) for figure in each]) for each in zip(*pairs, strict=True))
    with np.errstate(invalid="ignore", divide="ignore"):
        return ((own - base) / base).mean(axis=0)


def _at(seeds: Sequence[np.ndarray], rows: np.ndarray) -> list[np.ndarray]:
    return [one[rows] for one in seeds]
