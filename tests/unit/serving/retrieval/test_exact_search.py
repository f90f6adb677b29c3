"""Exact search against a search that compares every pair on its own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.retrieval import exact_search as module
from serving.retrieval.exact_search import exact_search, sort_by_score


def slow_search(queries, vectors, k, places):
    """By query the k best as (score, place), one pair at a time."""
    found = []
    for query in queries.tolist():
        scored = [
            (sum(a * b for a, b in zip(query, vectors[place].tolist(), strict=True)), place)
            for place in places
        ]
        found.append(sorted(scored, key=lambda pair: (-pair[0], pair[1]))[:k])
    return found


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_equals_comparing_every_pair(data):
    draw = data.draw
    num_queries, num_items = draw(st.integers(0, 7)), draw(st.integers(0, 40))
    # Small whole numbers: sums are exact, and many scores are equal.
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    queries = rng.integers(-2, 3, (num_queries, 3)).astype(np.float32)
    vectors = rng.integers(-2, 3, (num_items, 3)).astype(np.float32)
    k = draw(st.integers(1, 50))
    places = None
    if draw(st.booleans()):
        places = np.flatnonzero(rng.random(num_items) < 0.6)
    allowed = range(num_items) if places is None else places.tolist()
    with pytest.MonkeyPatch.context() as patch:
        # Several blocks of both, so that they have to be brought together.
        patch.setattr(module, "BLOCK_QUERIES", draw(st.integers(1, 4)))
        patch.setattr(module, "BLOCK_ITEMS", draw(st.integers(1, 9)))
        found_places, found_scores = exact_search(queries, vectors, k, places)
    assert found_places.shape == found_scores.shape == (num_queries, min(k, len(allowed)))
    found = [
        list(zip(row_scores, row_places, strict=True))
        for row_scores, row_places in zip(found_scores.tolist(), found_places.tolist(), strict=True)
    ]
    assert found == slow_search(queries, vectors, k, allowed)


def test_by_hand():
    # Scores of [1, 1]: 3, 1, 3, 5; of [1, -1]: 1, 1, -3, 1. Equal ones come by place.
    vectors = np.array([[2, 1], [1, 0], [0, 3], [3, 2]], np.float32)
    places, scores = exact_search(np.array([[1, 1], [1, -1]], np.float32), vectors, 3)
    assert places.tolist() == [[3, 0, 2], [0, 1, 3]]
    assert scores.tolist() == [[5, 3, 3], [1, 1, 1]]
    assert (places.dtype, scores.dtype) == (np.int64, np.float32)


def test_many_items_in_blocks_of_the_real_size():
    rng = np.random.default_rng(3)
    queries, vectors = rng.standard_normal((3, 4), np.float32), rng.standard_normal((30_000, 4), np.float32)
    places, scores = exact_search(queries, vectors, 20)
    products = queries.astype(np.float64) @ vectors.T.astype(np.float64)
    assert (places == np.argsort(-products, axis=1)[:, :20]).all()
    np.testing.assert_allclose(scores, -np.sort(-products, axis=1)[:, :20], rtol=1e-5)


def test_sort_by_score_puts_equal_scores_by_place():
    places, scores = sort_by_score(np.array([[7, 3, 5]]), np.array([[1.0, 2.0, 1.0]]), 2)
    assert (places.tolist(), scores.tolist()) == ([[3, 5]], [[2, 1]])
