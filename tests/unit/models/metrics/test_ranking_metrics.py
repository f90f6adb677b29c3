"""AUC and GAUC against numbers worked by hand and against the counting of every pair."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.metrics.auc import auc
from models.metrics.gauc import gauc
from models.metrics.grouped_auc import grouped_auc

# Few users and few distinct scores, so that ties and one-class users are common.
IMPRESSIONS = st.lists(
    st.tuples(st.sampled_from("abcd"), st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0])),
    max_size=60,
)


def pair_auc(rows: list[tuple[bool, float]]) -> float:
    """Counts the pairs, one by one."""
    clicked = [score for label, score in rows if label]
    ignored = [score for label, score in rows if not label]
    pairs = [(above > below) + 0.5 * (above == below) for above in clicked for below in ignored]
    return sum(pairs) / len(pairs) if pairs else math.nan


def pair_gauc(rows: list[tuple[str, bool, float]]) -> float:
    total, weight = 0.0, 0
    for user in {row[0] for row in rows}:
        own = [(label, score) for name, label, score in rows if name == user]
        value = pair_auc(own)
        if not math.isnan(value):
            total, weight = total + value * len(own), weight + len(own)
    return total / weight if weight else math.nan


def test_auc_counts_a_tie_as_half() -> None:
    # Clicked 0.8 and 0.4; not clicked 0.4 and 0.1. Pairs: 0.8>0.4, 0.8>0.1, 0.4=0.4, 0.4>0.1: 3.5 of 4.
    assert auc([1, 0, 1, 0], [0.8, 0.4, 0.4, 0.1]) == 3.5 / 4


def test_auc_of_a_reversed_order_is_zero_and_of_equal_scores_one_half() -> None:
    assert auc([0, 0, 1], [0.9, 0.8, 0.1]) == 0.0
    assert auc([0, 1, 0, 1, 0], [0.3] * 5) == 0.5


@pytest.mark.parametrize("labels", [[], [1, 1, 1], [0, 0]])
def test_auc_of_one_class_is_nan(labels: list[int]) -> None:
    assert math.isnan(auc(labels, np.linspace(0, 1, len(labels))))


def test_gauc_weighs_users_by_all_their_impressions() -> None:
    # a: clicked 0.9 against 0.5 and 0.1 -> 2/2 = 1, 3 impressions.
    # b: clicked 0.2 against 0.7 -> 0, 2 impressions.
    # c: clicked 0.6 and 0.4 against 0.4, 0.5, 0.1 -> (3 + (0.5 + 0 + 1)) / 6 = 0.75, 5 impressions.
    # d: clicked everything, no AUC, no weight.  (1·3 + 0·2 + 0.75·5) / 10 = 0.675
    users = list("abcabcacccdd")
    labels = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 1, 1]
    scores = [0.9, 0.2, 0.6, 0.5, 0.7, 0.4, 0.1, 0.4, 0.5, 0.1, 0.3, 0.8]
    assert gauc(users, labels, scores) == pytest.approx(0.675, abs=1e-15)


def test_gauc_ignores_what_sets_users_apart() -> None:
    # Each user is ordered wrongly (AUC 0), though the active user's scores are all higher.
    users, labels, scores = [1, 1, 1, 2, 2, 2], [1, 1, 0, 0, 0, 1], [0.8, 0.8, 0.9, 0.2, 0.2, 0.1]
    assert gauc(users, labels, scores) == 0.0
    # Over both users each clicked 0.8 beats the two 0.2 and the clicked 0.1 beats nothing: 4 of 9 pairs.
    assert auc(labels, scores) == pytest.approx(4 / 9)


def test_gauc_without_a_user_of_both_classes_is_nan() -> None:
    assert math.isnan(gauc(["a", "a", "b"], [1, 1, 0], [0.1, 0.2, 0.3]))
    assert math.isnan(gauc([], [], []))


def test_a_nan_prediction_makes_its_user_nan_and_is_not_passed_over() -> None:
    result = grouped_auc([1, 1, 2, 2], [0, 1, 0, 1], [0.1, np.nan, 0.1, 0.2])
    assert math.isnan(result.auc[0]) and result.auc[1] == 1.0
    assert math.isnan(gauc([1, 1, 2, 2], [0, 1, 0, 1], [0.1, np.nan, 0.1, 0.2]))


def test_groups_come_sorted_with_their_counts() -> None:
    result = grouped_auc([7, 3, 7, 7], [1, 0, 0, 1], [0.3, 0.3, 0.3, 0.4])
    assert result.impressions.tolist() == [1, 3]
    assert result.clicks.tolist() == [0, 2]
    assert math.isnan(result.auc[0]) and result.auc[1] == 0.75  # a tie and a win: 1.5 of 2


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match="got 2"):
        auc([0, 2], [0.1, 0.2])
    with pytest.raises(ValueError, match=r"\(2,\)"):
        auc([0, 1], [0.1, 0.2, 0.3])


@given(IMPRESSIONS)
def test_auc_equals_pair_counting(rows: list[tuple[str, bool, float]]) -> None:
    expected = pair_auc([(label, score) for _, label, score in rows])
    assert auc([r[1] for r in rows], [r[2] for r in rows]) == pytest.approx(expected, abs=1e-12, nan_ok=True)


@given(IMPRESSIONS)
def test_gauc_equals_pair_counting(rows: list[tuple[str, bool, float]]) -> None:
    value = gauc([r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows])
    assert value == pytest.approx(pair_gauc(rows), abs=1e-12, nan_ok=True)
