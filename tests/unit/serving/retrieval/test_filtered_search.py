"""Filtered search against a search that leaves blocked items out by hand."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.retrieval.filtered_search import search_allowed
from serving.retrieval.scann_parameters import choose_parameters
from serving.retrieval.scann_searcher import ScannSearcher

NUM_ITEMS, DIM = 6_000, 16


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.default_rng(0)
    centers = rng.standard_normal((40, DIM), np.float32)
    return centers[rng.integers(40, size=NUM_ITEMS)] + 0.5 * rng.standard_normal((NUM_ITEMS, DIM), np.float32)


@pytest.fixture(scope="module")
def searcher(vectors):
    # So widely searched that it misses nothing.
    parameters = choose_parameters(NUM_ITEMS, DIM, 100)
    parameters = dataclasses.replace(parameters, leaf_factor=1_000.0, reorder_factor=20.0)
    return ScannSearcher.build(vectors, parameters, 1)


class Recorder:
    """A searcher that remembers how much it was asked for: (queries, k)."""

    def __init__(self, searcher):
        self.searcher = searcher
        self.asked = []

    def search(self, queries, k):
        self.asked.append((len(queries), k))
        return self.searcher.search(queries, k)


def allowed_by_score(query, vectors, blocked):
    """(score, place) of all allowed items, the best first."""
    scores = vectors.astype(np.float64) @ query.astype(np.float64)
    return sorted(((scores[place], place) for place in np.flatnonzero(~blocked)), reverse=True)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.floats(0, 1), st.integers(1, 300), st.booleans())
def test_k_come_whatever_is_blocked(vectors, searcher, seed, share, k, from_the_best):
    rng = np.random.default_rng(seed)
    queries = rng.standard_normal((3, DIM), np.float32)
    blocked = rng.random(NUM_ITEMS) < share
    if from_the_best:
        # The worst case: exactly those that the first query would get.
        blocked = np.zeros(NUM_ITEMS, bool)
        blocked[np.argsort(-(vectors @ queries[0]))[: int(share * NUM_ITEMS)]] = True
    places, scores = search_allowed(queries, k, vectors, searcher, blocked, exact_below=0)
    width = min(k, int((~blocked).sum()))
    assert places.shape == scores.shape == (3, width)
    for query, row_places, row_scores in zip(queries, places, scores, strict=True):
        assert len(set(row_places.tolist())) == width
        assert not blocked[row_places].any()
        assert (np.diff(row_scores) <= 0).all()
        expected = [score for score, _ in allowed_by_score(query, vectors, blocked)[:width]]
        np.testing.assert_allclose(row_scores, expected, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(row_scores, vectors[row_places] @ query, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("exact_below", [0, NUM_ITEMS + 1])
def test_exact_where_few_are_allowed(vectors, searcher, exact_below):
    query = np.random.default_rng(1).standard_normal((1, DIM), np.float32)
    blocked = np.ones(NUM_ITEMS, bool)
    blocked[::100] = False
    recorder = Recorder(searcher)
    places, _ = search_allowed(query, 20, vectors, recorder, blocked, exact_below)
    assert places[0].tolist() == [place for _, place in allowed_by_score(query[0], vectors, blocked)[:20]]
    # 60 items are allowed, fewer than ten times what would be fetched.
    assert recorder.asked == []


def test_exact_below_counts_what_is_allowed(vectors, searcher):
    query = np.ones((1, DIM), np.float32)
    blocked = np.zeros(NUM_ITEMS, bool)
    blocked[:1_000] = True
    for exact_below, asked in ((5_001, 0), (5_000, 1)):
        recorder = Recorder(searcher)
        search_allowed(query, 2, vectors, recorder, blocked, exact_below)
        assert len(recorder.asked) == asked


def test_asks_again_only_for_the_queries_that_lost_too_many(vectors, searcher):
    rng = np.random.default_rng(2)
    queries = rng.standard_normal((4, DIM), np.float32)
    queries[3] = -queries[0]
    blocked = np.zeros(NUM_ITEMS, bool)
    blocked[np.argsort(-(vectors @ queries[0]))[:30]] = True
    recorder = Recorder(searcher)
    places, _ = search_allowed(queries, 10, vectors, recorder, blocked, exact_below=0)
    # First 10 * 1.2 * 6000 / 5970 = 12.06, so 13, all of which are blocked for the first query.
    assert recorder.asked[0] == (4, 13)
    assert 1 <= recorder.asked[1][0] < 4 and recorder.asked[1][1] == 52
    assert not blocked[places].any()


def test_nothing_blocked_fetches_no_more_than_k(vectors, searcher):
    recorder = Recorder(searcher)
    search_allowed(np.ones((2, DIM), np.float32), 10, vectors, recorder, None, exact_below=0)
    assert recorder.asked == [(2, 10)]


def test_all_blocked_gives_nothing(vectors, searcher):
    for one in (searcher, None):
        places, scores = search_allowed(
            np.ones((2, DIM), np.float32), 10, vectors, one, np.ones(NUM_ITEMS, bool), exact_below=0
        )
        assert places.shape == scores.shape == (2, 0)
