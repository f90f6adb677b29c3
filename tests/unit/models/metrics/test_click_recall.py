"""Click-recall and what is retrieved, against numbers worked by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.metrics.click_recall import (
    click_recall,
    coverage,
    find_places,
    long_tail_items,
    mean_cosine,
    popularity,
)

# Four clicks; the clicked item stands first, third, nowhere, second.
RETRIEVED = np.array([[4, 1, 2], [4, 1, 2], [4, 1, 2], [0, 3, -1]])
CLICKED = np.array([4, 2, 0, 3])


def test_places_of_what_was_clicked() -> None:
    assert find_places(RETRIEVED, CLICKED).tolist() == [0, 2, 3, 1]


def test_nothing_retrieved() -> None:
    assert find_places(np.zeros((2, 0), int), [5, 6]).tolist() == [0, 0]
    assert find_places(np.full((1, 2), -1), [0]).tolist() == [2]


def test_shapes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"got \(4, 3\) and \(3,\)"):
        find_places(RETRIEVED, [1, 2, 3])


@pytest.mark.parametrize(("k", "expected"), [(1, 1 / 4), (2, 2 / 4), (3, 3 / 4)])
def test_click_recall(k: int, expected: float) -> None:
    assert click_recall(find_places(RETRIEVED, CLICKED), k) == expected


def test_click_recall_of_some_clicks() -> None:
    places = np.array([0, 2, 3, 1])
    # Of the first and the second the first, of the last two the last.
    assert click_recall(places, 2, [True, True, False, False]) == 1 / 2
    assert click_recall(places, 2, [False, False, True, True]) == 1 / 2
    assert math.isnan(click_recall(places, 2, [False] * 4))
    assert math.isnan(click_recall([], 2))
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        click_recall(places, 0)


def test_long_tail() -> None:
    # 20 clicks, 80 % are 16. Above the item of 4 there are 10; above those of 2 there are 14; above that of 1
    # there are 18, and above that of 0 all 20.
    clicks = [2, 10, 0, 4, 1, 2, 1]
    assert long_tail_items(clicks, 0.8).tolist() == [False, False, True, False, True, False, True]
    # 70 % are 14: the head is complete without the items of 2.
    assert long_tail_items(clicks, 0.7).tolist() == [True, False, True, False, True, True, True]


def test_long_tail_without_clicks() -> None:
    assert long_tail_items([0, 0], 0.8).tolist() == [True, True]
    assert long_tail_items([], 0.8).tolist() == []


@given(st.lists(st.integers(0, 5), max_size=20), st.sampled_from([0.25, 0.5, 0.75]))
def test_long_tail_against_a_loop(clicks: list[int], share: float) -> None:
    expected = [sum(other for other in clicks if other > own) >= share * sum(clicks) for own in clicks]
    assert long_tail_items(clicks, share).tolist() == expected


def test_popularity_and_coverage() -> None:
    clicks = [1, 10, 0, 6, 4]
    # First two: 4 and 10 three times, then 1 and 6. All: 4, 10, 0 three times, 1, 6 and nothing.
    assert popularity(RETRIEVED, clicks, 2) == pytest.approx((3 * 14 + 7) / 8)
    assert popularity(RETRIEVED, clicks, 3) == pytest.approx((3 * 14 + 7) / 11)
    assert coverage(RETRIEVED, 5, 1) == 2 / 5  # items 4 and 0
    assert coverage(RETRIEVED, 8, 3) == 5 / 8
    assert math.isnan(popularity(np.full((2, 2), -1), clicks, 2))
    assert math.isnan(coverage(np.zeros((0, 2), int), 0, 2))


def test_mean_cosine_of_all_pairs() -> None:
    # Angles 0°, 60° and 180°, of any length: cosines 1/2, -1 and -1/2; zeros do not count.
    vectors = [[3, 0], [0.5, math.sqrt(3) / 2], [0, 0], [-2, 0]]
    assert mean_cosine(vectors) == pytest.approx((0.5 - 1 - 0.5) / 3, abs=1e-6)


def test_mean_cosine_of_random_pairs() -> None:
    vectors = np.random.default_rng(0).normal(size=(300, 4)) + 1
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    exact = ((unit @ unit.T).sum() - 300) / (300 * 299)
    assert mean_cosine(vectors) == pytest.approx(exact, abs=1e-5)
    drawn = mean_cosine(vectors, max_pairs=20_000, seed=1)
    assert drawn == pytest.approx(exact, abs=0.02)
    assert drawn != pytest.approx(exact, abs=1e-9)
    assert drawn == mean_cosine(vectors, max_pairs=20_000, seed=1)


def test_mean_cosine_of_the_collapsed_and_of_one() -> None:
    assert mean_cosine(np.tile([[1.0, 2.0]], (9, 1))) == pytest.approx(1)
    assert math.isnan(mean_cosine([[1.0, 2.0]]))
    assert math.isnan(mean_cosine(np.zeros((5, 2))))
