"""Similarities and tiers, by hand and against the model's own layer."""

import numpy as np
import tensorflow as tf

from models.layers.sim_tier import SimTier
from serving.gateway.explanation import similarities, tier_counts


def vector(*numbers: float) -> np.ndarray:
    return np.array(numbers, np.float32)


def test_cosines() -> None:
    found = similarities(
        [vector(2, 0), None, vector(-3, 0)], [vector(5, 0), vector(3, 4), None, vector(0, 0)]
    )
    expected = [[1, 0.6, np.nan, np.nan], [np.nan] * 4, [-1, -0.6, np.nan, np.nan]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert similarities([vector(1, 0)], []).shape == (1, 0)
    # What rounding puts beyond 1 is 1.
    odd = np.random.default_rng(0).standard_normal((50, 128)).astype(np.float32)
    assert np.nanmax(similarities(list(odd), list(odd))) == 1


def test_tiers_hold_their_lower_edge() -> None:
    # [-1, -0.5), [-0.5, 0), [0, 0.5), [0.5, 1]
    similarity = np.array([[-1, -0.5, -0.01, 0, 0.49, 0.5, 1, np.nan], [np.nan] * 8], np.float32)
    assert tier_counts(similarity, 4).tolist() == [[1, 2, 2, 2], [0, 0, 0, 0]]
    assert tier_counts(np.zeros((2, 0), np.float32), 3).tolist() == [[0, 0, 0]] * 2
    assert tier_counts(np.zeros((0, 5), np.float32), 3).shape == (0, 3)
    assert tier_counts(similarity[:1, :7], 1).tolist() == [[7]]


def test_tiers_are_those_of_the_model() -> None:
    rng = np.random.default_rng(0)
    for num_tiers in (3, 7, 20):
        edges = -1 + 2 * np.arange(num_tiers + 1) / num_tiers
        similarity = np.concatenate([rng.uniform(-1, 1, 200), edges]).astype(np.float32)[None]
        layer = SimTier(num_tiers)
        expected = layer(tf.constant(similarity), tf.ones_like(similarity, tf.bool)).numpy()
        np.testing.assert_array_equal(tier_counts(similarity, num_tiers), expected)
