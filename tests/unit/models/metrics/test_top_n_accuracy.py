"""Acc@N against numbers worked by hand and against the sorting of every query's candidates."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.metrics import top_n_accuracy as module
from models.metrics.top_n_accuracy import Ranks, rank_positives, retrieve, top_n_accuracy

# Candidates at 0°, 30°, 60°, 90° of the circle.
CIRCLE = np.stack([np.cos(np.radians([0, 30, 60, 90])), np.sin(np.radians([0, 30, 60, 90]))], axis=1)


def at(degrees: float) -> list[float]:
    return [math.cos(math.radians(degrees)), math.sin(math.radians(degrees))]


def test_acc_counts_positives_in_the_top_n() -> None:
    # At 5° the order of candidates is 0, 1, 2, 3: candidate 0 is first, candidate 2 third.
    # At 80° it is 3, 2, 1, 0: candidate 0 is last, candidate 3 first.
    queries, positives = [at(5), at(5), at(80), at(80)], [0, 2, 0, 3]
    ranks = rank_positives(queries, positives, CIRCLE)
    assert ranks.above.tolist() == [0, 2, 3, 0]
    assert ranks.ties.tolist() == [0, 0, 0, 0]
    for n, expected in [(1, 2 / 4), (2, 2 / 4), (3, 3 / 4), (4, 1.0), (5, 1.0)]:
        assert top_n_accuracy(queries, positives, CIRCLE, n) == expected


def test_a_tie_counts_by_its_probability() -> None:
    # To (1, 0): candidate 0 has similarity 1, candidates 1 and 2 (mirrored) 0.6 each, candidate 3 has 0.
    candidates = [[1.0, 0.0], [0.6, 0.8], [0.6, -0.8], [0.0, 1.0]]
    queries, positives = [[1.0, 0.0]] * 4, [0, 1, 2, 3]
    ranks = rank_positives(queries, positives, candidates)
    assert ranks.above.tolist() == [0, 1, 1, 3]
    assert ranks.ties.tolist() == [0, 1, 1, 0]
    # Top 1 holds candidate 0 alone; top 2 either mirrored one in half the cases; top 3 both.
    assert ranks.hits(1).tolist() == [1, 0, 0, 0]
    assert ranks.hits(2).tolist() == [1, 0.5, 0.5, 0]
    assert ranks.hits(3).tolist() == [1, 1, 1, 0]


@pytest.mark.parametrize(
    ("above", "ties", "n", "expected"),
    [
        # The positive stands on one of the places above + 1 … above + ties + 1.
        (0, 3, 1, 1 / 4),
        (2, 3, 5, 3 / 4),  # places 3, 4, 5, 6
        (2, 3, 6, 1.0),
        (5, 3, 5, 0.0),
        (7, 0, 5, 0.0),
    ],
)
def test_probability_of_a_hit(above: int, ties: int, n: int, expected: float) -> None:
    assert Ranks(np.array([above]), np.array([ties])).hits(n).tolist() == [expected]


@pytest.mark.parametrize("count", [7, 129, 1000])
def test_a_collapsed_encoder_gets_n_over_the_candidates(count: int) -> None:
    vector = np.random.default_rng(count).standard_normal(33).astype(np.float32)
    embeddings = np.tile(vector / np.linalg.norm(vector), (count, 1))
    assert top_n_accuracy(embeddings, np.arange(count), embeddings, 5) == pytest.approx(5 / count, rel=1e-12)


def test_equal_vectors_tie_exactly_wherever_they_stand() -> None:
    # Every vector twice, far apart: with its twin each positive has half of the first place.
    vectors = np.random.default_rng(0).standard_normal((301, 37)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    candidates = np.concatenate([vectors, vectors[::-1]])
    positives = np.arange(602)
    ranks = rank_positives(candidates, positives, candidates)
    assert (ranks.above == 0).all() and (ranks.ties == 1).all()
    assert top_n_accuracy(candidates, positives, candidates, 1) == 0.5


# Small whole numbers, whose products every order of summation gets right, and many of which tie. At most six
# candidates, so that all orders among equals can be listed.
VECTOR = st.tuples(*[st.integers(-2, 2)] * 3)
CANDIDATES = st.lists(VECTOR, min_size=1, max_size=6)
QUERIES = st.lists(st.tuples(VECTOR, st.integers(0, 5)), min_size=1, max_size=15)


def share_of_orders(query: tuple, positive: int, candidates: list[tuple], n: int) -> float:
    """The share of the orders by falling similarity in which the positive is one of the first N."""
    scores = [sum(a * b for a, b in zip(query, candidate, strict=True)) for candidate in candidates]
    orders = [
        order
        for order in itertools.permutations(range(len(scores)))
        if all(scores[first] >= scores[then] for first, then in itertools.pairwise(order))
    ]
    return sum(positive in order[:n] for order in orders) / len(orders)


@settings(max_examples=100, deadline=None)
@given(CANDIDATES, QUERIES, st.integers(1, 6), st.sampled_from([1, 5, 1 << 20]))
def test_against_listing_every_order(candidates: list, asked: list, n: int, block_values: int) -> None:
    queries = [query for query, _ in asked]
    positives = [positive % len(candidates) for _, positive in asked]
    shares = [share_of_orders(*pair, candidates, n) for pair in zip(queries, positives, strict=True)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_VALUES", block_values)
        accuracy = top_n_accuracy(queries, positives, candidates, n)
    assert accuracy == pytest.approx(np.mean(shares), abs=1e-12)


def test_retrieval_of_chosen_queries() -> None:
    # At 40°: 30° (cos 10°), 60° (cos 20°), 0° (cos 40°), 90° (cos 50°).
    result = retrieve([at(40), at(80)], [0, 0], CIRCLE, 3)
    assert result.ranks.tolist() == [3, 4]
    assert result.indices.tolist() == [[1, 2, 0], [3, 2, 1]]
    expected = [[math.cos(math.radians(d)) for d in row] for row in ([10, 20, 40], [10, 20, 50])]
    np.testing.assert_allclose(result.similarities, expected, rtol=1e-6)


def test_retrieval_breaks_ties_by_the_order_of_candidates() -> None:
    candidates = [[0.0, 1.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]]
    result = retrieve([[1.0, 0.0]] * 2, [2, 0], candidates, 9)
    assert result.indices.tolist() == [[1, 2, 3, 0]] * 2
    assert result.ranks.tolist() == [2, 4]
    # Of many equal ones too.
    scores = np.random.default_rng(0).integers(0, 3, 500)
    order = sorted(range(500), key=lambda place: -scores[place])
    result = retrieve([[1.0]], [99], scores[:, None], 500)
    assert result.indices.tolist() == [order]
    assert result.ranks.tolist() == [order.index(99) + 1]


def test_no_queries() -> None:
    assert math.isnan(top_n_accuracy(np.zeros((0, 2)), [], CIRCLE, 1))


@pytest.mark.parametrize(
    ("queries", "positives", "candidates", "n", "said"),
    [
        ([[1.0, 0.0, 0.0]], [0], CIRCLE, 1, "one embedding dimension"),
        ([[1.0, 0.0]], [0, 1], CIRCLE, 1, "positives must have the shape"),
        ([[1.0, 0.0]], [4], CIRCLE, 1, "rows of the 4 candidates"),
        ([[1.0, 0.0]], [-1], CIRCLE, 1, "rows of the 4 candidates"),
        ([[1.0, math.nan]], [0], CIRCLE, 1, "queries must be finite"),
        ([[1.0, 0.0]], [0], [[math.inf, 0.0]], 1, "candidates must be finite"),
        ([[1.0, 0.0]], [0], CIRCLE, 0, "n must be at least 1"),
    ],
)
def test_what_cannot_be_measured(queries: list, positives: list, candidates: list, n: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        top_n_accuracy(queries, positives, candidates, n)
