"""The area under the ROC curve of every group of impressions, in one sort."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class GroupedAuc(NamedTuple):
    """The groups' AUCs, ordered by group.

    Attributes:
        impressions: int64 `[groups]`.
        clicks: int64 `[groups]`.
        auc: float64 `[groups]`, NaN where a group has clicks alone, or none, or a NaN prediction.
    """

    impressions: np.ndarray
    clicks: np.ndarray
    auc: np.ndarray


def grouped_auc(groups: ArrayLike, labels: ArrayLike, predictions: ArrayLike) -> GroupedAuc:
    """Computes the AUC within each group, exactly and for all groups together.

    A group's AUC is the share of its (clicked, not clicked) pairs in which the clicked one is predicted
    higher, a tie counting one half. Summing the ranks R of the P clicked among the P + N impressions gives
    it without visiting pairs: AUC = (R - P(P+1)/2) / (P·N), equal predictions sharing their mean rank. One
    sort by (group, prediction) ranks all groups. Ranks are kept doubled, so that mean ranks are integers and
    no sum is rounded.

    Args:
        groups: `[n]`, any values that sort.
        labels: `[n]`, 0 or 1 (or bool).
        predictions: `[n]`, any scores: only their order within a group counts.
    Returns:
        GroupedAuc, one row a group.
    Raises:
        ValueError: if lengths differ or a label is neither 0 nor 1.
    Source: the Mann-Whitney form of the ROC area, Hanley and McNeil 1982.
    """
    groups, labels, predictions = np.asarray(groups), np.asarray(labels), np.asarray(predictions)
    _check(groups, labels, predictions)
    order = np.lexsort((predictions, groups))
    groups, predictions = groups[order], predictions[order]
    clicked = labels[order].astype(np.int64)

    # Runs of equal groups, and within them of equal predictions: where each begins.
    group_start = _starts(groups)
    run_start = np.union1d(group_start, _starts(predictions))
    group_size, run_size = _sizes(group_start, groups.size), _sizes(run_start, groups.size)

    # Within its group a run that begins after b impressions holds the ranks b+1 … b+size: twice their mean is
    # 2b + size + 1.
    before = run_start - group_start[np.searchsorted(group_start, run_start, side="right") - 1]
    run_rank_sum = _sums(clicked, run_start) * (2 * before + run_size + 1)
    double_rank_sum = _sums(run_rank_sum, np.searchsorted(run_start, group_start))

    positives = _sums(clicked, group_start)
    negatives = group_size - positives
    above = double_rank_sum - positives * (positives + 1)  # twice the pairs that are in the right order
    defined = (positives > 0) & (negatives > 0) & (_sums(np.isnan(predictions), group_start) == 0)
    auc = np.full(group_size.shape, np.nan)
    auc[defined] = above[defined] / 2 / (positives[defined].astype(float) * negatives[defined])
    return GroupedAuc(group_size, positives, auc)


def _check(groups: np.ndarray, labels: np.ndarray, predictions: np.ndarray) -> None:
    if not groups.shape == labels.shape == predictions.shape or groups.ndim != 1:
        raise ValueError(
            "groups, labels and predictions must be vectors of one length, "
            f"got shapes {groups.shape}, {labels.shape} and {predictions.shape}"
        )
    wrong = labels[(labels != 0) & (labels != 1)]
    if wrong.size:
        raise ValueError(f"labels must be 0 or 1, got {wrong[0]}")


def _starts(values: np.ndarray) -> np.ndarray:
    """Where each run of equal neighbors begins."""
    changes = np.ones(values.size, dtype=bool)
    changes[1:] = values[1:] != values[:-1]
    return np.flatnonzero(changes)


def _sizes(starts: np.ndarray, total: int) -> np.ndarray:
    return np.diff(starts, append=total)


def _sums(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Sums of the runs that begin at `starts`, as int64."""
    return np.add.reduceat(values, starts, dtype=np.int64) if starts.size else np.zeros(0, dtype=np.int64)
