"""SimTier, against Algorithm 1 taken by the letter."""

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from models.layers.sim_tier import SimTier

TIERS = [1, 2, 3, 7, 20, 64]


def _edges(num_tiers: int) -> list[np.float32]:
    """What a loop compares with float32 similarities: the edges in double precision, rounded once."""
    return [np.float32(-1.0 + 2.0 * tier / num_tiers) for tier in range(num_tiers + 1)]


def _literal_loop(similarity: np.ndarray, padding_mask: np.ndarray, num_tiers: int) -> np.ndarray:
    """For each tier a look at each similarity; beyond either end counts as that end."""
    edges, last = _edges(num_tiers), num_tiers - 1
    counts = np.zeros((len(similarity), num_tiers), np.float32)
    for user, (values, reals) in enumerate(zip(similarity, padding_mask, strict=True)):
        for tier in range(num_tiers):
            lower, upper = edges[tier], edges[tier + 1]
            for value in np.clip(values[reals], np.float32(-1), np.float32(1)):
                counts[user, tier] += lower <= value < upper or (tier == last and value == upper)
    return counts


def _in_graph(layer: SimTier) -> Callable[..., tf.Tensor]:
    """As it is trained and served: the graph's optimizer rewrites arithmetic."""
    return tf.function(lambda similarity, padding_mask: layer(similarity, padding_mask))


def _count(similarity: np.ndarray, padding_mask: np.ndarray, num_tiers: int) -> np.ndarray:
    layer = SimTier(num_tiers)
    counts = layer(similarity, padding_mask).numpy()
    np.testing.assert_array_equal(_in_graph(layer)(similarity, padding_mask), counts)
    return counts


def test_by_hand() -> None:
    # Tiers [-1, -0.5), [-0.5, 0), [0, 0.5), [0.5, 1]; of the second user the first two are real.
    similarity = np.array([[-1, -0.5, 0.2, 0.5, 1, 0.9], [0, -0.01, 0.3, 0.3, 0.3, 0.3]], np.float32)
    padding_mask = np.array([[True] * 6, [True] * 2 + [False] * 4])
    np.testing.assert_array_equal(SimTier(4)(similarity, padding_mask), [[1, 1, 1, 3], [0, 1, 1, 0]])


@pytest.mark.parametrize("num_tiers", TIERS)
def test_random_similarities(num_tiers: int) -> None:
    rng = np.random.default_rng(num_tiers)
    similarity = rng.uniform(-1, 1, (30, 50)).astype(np.float32)
    padding_mask = rng.random((30, 50)) < 0.7
    expected = _literal_loop(similarity, padding_mask, num_tiers)
    np.testing.assert_array_equal(_count(similarity, padding_mask, num_tiers), expected)
    assert expected.sum() == padding_mask.sum()


@pytest.mark.parametrize("num_tiers", TIERS)
def test_edges_and_their_neighbors(num_tiers: int) -> None:
    edges = np.array(_edges(num_tiers))
    below, above = np.nextafter(edges, np.float32(-2)), np.nextafter(edges, np.float32(2))
    # The neighbors of 0 are subnormal, which processors may read as 0; the smallest normal numbers are not.
    smallest = np.finfo(np.float32).tiny
    below[edges == 0], above[edges == 0] = -smallest, smallest
    values = np.concatenate([edges, below, above, [1, -1, 1 + 1e-7, -1 - 1e-7, 0]]).astype(np.float32)
    similarity = values[:, None]  # a user for each, so that no two errors can make up for one another
    padding_mask = np.ones(similarity.shape, bool)
    expected = _literal_loop(similarity, padding_mask, num_tiers)
    np.testing.assert_array_equal(_count(similarity, padding_mask, num_tiers), expected)


@pytest.mark.parametrize("num_tiers", TIERS)
def test_an_edge_opens_its_tier_and_both_ends_are_closed(num_tiers: int) -> None:
    *lower_edges, end = _edges(num_tiers)
    similarity = np.array([[*lower_edges, end, 1 + 1e-7, -1 - 1e-7]], np.float32)
    expected = np.ones((1, num_tiers))
    expected[0, -1] += 2  # 1, and what rounding puts above it
    expected[0, 0] += 1
    np.testing.assert_array_equal(_count(similarity, np.ones(similarity.shape, bool), num_tiers), expected)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), num_tiers=st.integers(1, 300), length=st.integers(0, 12))
def test_any_similarities(data: st.DataObject, num_tiers: int, length: int) -> None:
    values = st.floats(-1, 1, width=32, allow_subnormal=False) | st.sampled_from(_edges(num_tiers))
    drawn = data.draw(st.lists(values, min_size=2 * length, max_size=2 * length))
    reals = data.draw(st.lists(st.booleans(), min_size=2 * length, max_size=2 * length))
    shape = (2, length)
    similarity, padding_mask = (
        np.array(drawn, np.float32).reshape(shape),
        np.array(reals, bool).reshape(shape),
    )
    expected = _literal_loop(similarity, padding_mask, num_tiers)
    np.testing.assert_array_equal(SimTier(num_tiers)(similarity, padding_mask), expected)


def test_all_padding_counts_nothing() -> None:
    similarity = np.array([[0.3, np.nan, np.inf, -np.inf]], np.float32)
    np.testing.assert_array_equal(_count(similarity, np.zeros((1, 4), bool), 5), np.zeros((1, 5)))


def test_missing_embeddings_are_in_no_tier() -> None:
    # A missing embedding is zeros, so its similarity is 0, as is that of the second behavior, which is there.
    target = np.array([[1, 0], [0, 0]], np.float32)
    behaviors = np.array([[[1, 0], [0, 1], [0, 0]]] * 2, np.float32)
    similarity = np.einsum("bd,bld->bl", target, behaviors)
    there = behaviors.any(axis=-1) & target.any(axis=-1)[:, None]
    np.testing.assert_array_equal(_count(similarity, there, 2), [[0, 2], [0, 0]])


def test_log_counts() -> None:
    counts = SimTier(2, log_counts=True)(np.array([[0.5, 0.5, -0.5]], np.float32), np.array([[True] * 3]))
    np.testing.assert_allclose(counts, [[np.log(2), np.log(3)]], rtol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("count", [*range(51), 255, 256])
def test_counts_are_exact_in_mixed_precision(policy: str, count: int) -> None:
    padding_mask = np.arange(256).reshape(1, 256) < count
    counts = SimTier(2, dtype=policy)(np.full((1, 256), 0.5, np.float32), padding_mask)
    np.testing.assert_array_equal(tf.cast(counts, tf.float32), [[0, count]])


def test_mixed_precision_does_not_round_similarities() -> None:
    # bfloat16 would make 0.5 of 0.499, and put it in the tier above.
    counts = SimTier(4, dtype="mixed_bfloat16")(np.array([[0.499]], np.float32), np.array([[True]]))
    np.testing.assert_array_equal(tf.cast(counts, tf.float32), [[0, 0, 1, 0]])


def test_thousands_in_a_tier_are_exact_in_float32() -> None:
    counts = SimTier(3)(np.full((1, 5_001), -0.9, np.float32), np.ones((1, 5_001), bool))
    np.testing.assert_array_equal(counts, [[5_001, 0, 0]])


def test_has_no_gradient() -> None:
    similarity = tf.Variable([[0.1, 0.7]])
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(SimTier(20)(similarity, tf.constant([[True, True]])))
    assert tape.gradient(total, similarity) is None


def test_needs_a_tier() -> None:
    with pytest.raises(ValueError, match="num_tiers must be at least 1, got 0"):
        SimTier(0)
