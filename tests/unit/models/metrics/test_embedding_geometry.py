"""Alignment, uniformity and the random cosine against numbers worked by hand."""

import math

import numpy as np
import pytest

from models.metrics.embedding_geometry import embedding_geometry

# East, north, west, south: of the 6 pairs 4 stand at right angles (d² = 2, cosine 0), 2 opposite (d² = 4, -1).
COMPASS = [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]]


def test_four_directions() -> None:
    # Queries: east for east (d² = 0), east for north (2), east for west (4): mean 2.
    result = embedding_geometry([COMPASS[0]] * 3, [0, 1, 2], COMPASS)
    assert result.alignment == pytest.approx(2.0, abs=1e-12)
    assert result.uniformity == pytest.approx(math.log((4 * math.exp(-4) + 2 * math.exp(-8)) / 6), abs=1e-12)
    assert result.random_cosine == pytest.approx(-2 / 6, abs=1e-12)


def test_a_collapsed_encoder() -> None:
    # One vector for all: nothing is apart, log(exp(0)) = 0.
    result = embedding_geometry([[0.6, 0.8]] * 2, [0, 1], [[0.6, 0.8]] * 5)
    assert result == pytest.approx((0.0, 0.0, 1.0), abs=1e-6)


def test_a_sample_is_near_the_whole_and_the_same_each_time() -> None:
    generator = np.random.default_rng(0)
    # A cone about the first axis, whose mean cosine is well above zero.
    items = generator.standard_normal((300, 8)) + np.eye(8)[0] * 2
    items = (items / np.linalg.norm(items, axis=1, keepdims=True)).astype(np.float32)
    cosines = (items @ items.T)[np.triu_indices(300, k=1)].astype(np.float64)
    exact = embedding_geometry(items, np.arange(300), items)
    assert exact.alignment == 0
    assert exact.random_cosine == pytest.approx(cosines.mean(), abs=1e-6)
    assert exact.uniformity == pytest.approx(math.log(np.mean(np.exp(-2 * (2 - 2 * cosines)))), abs=1e-5)

    sampled = embedding_geometry(items, np.arange(300), items, max_pairs=20_000, seed=1)
    # Of 20,000 draws the mean lies within four standard errors.
    assert abs(sampled.random_cosine - cosines.mean()) < 4 * cosines.std() / math.sqrt(20_000)
    assert sampled.random_cosine != exact.random_cosine
    assert sampled == embedding_geometry(items, np.arange(300), items, max_pairs=20_000, seed=1)
    assert sampled != embedding_geometry(items, np.arange(300), items, max_pairs=20_000, seed=2)


def test_a_sample_never_pairs_an_item_with_itself() -> None:
    # Three items at right angles: any pair of different ones has cosine 0, an item with itself 1.
    result = embedding_geometry(np.eye(3), [0, 1, 2], np.eye(3), max_pairs=2)
    assert result.random_cosine == pytest.approx(0.0, abs=1e-12)
    assert result.uniformity == pytest.approx(-4.0, abs=1e-12)


def test_one_item_has_no_pair() -> None:
    result = embedding_geometry([[1.0, 0.0]], [0], [[0.0, 1.0]])
    assert result.alignment == 2.0
    assert math.isnan(result.uniformity) and math.isnan(result.random_cosine)
