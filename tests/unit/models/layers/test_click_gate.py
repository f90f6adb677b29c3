"""The gate, against numbers worked by hand."""

import numpy as np
import pytest
import tensorflow as tf

from models.layers.click_gate import ClickGate


def _built(num_experts: int, num_buckets: int) -> ClickGate:
    gate = ClickGate(num_experts, num_buckets)
    gate.build()
    return gate


def test_buckets_double() -> None:
    clicks = np.array([0, 1, 2, 3, 4, 7, 8, 15, 16, 10**12])
    assert _built(2, 6).buckets(clicks).numpy().tolist() == [0, 1, 2, 2, 3, 3, 4, 4, 5, 5]


@pytest.mark.parametrize("power", [1, 10, 24, 31, 52])
def test_no_rounding_at_the_edges(power: int) -> None:
    clicks = np.array([2**power - 1, 2**power], np.int64)
    assert _built(1, 60).buckets(clicks).numpy().tolist() == [power, power + 1]


def test_weights_begin_at_one() -> None:
    np.testing.assert_allclose(_built(2, 4)(np.array([0, 1, 100])), np.ones((3, 2)), rtol=1e-6)


def test_one_bucket_knows_no_clicks() -> None:
    gate = _built(2, 1)
    gate.set_weights([np.array([[0.3, -0.2]]), np.zeros((0, 2))])
    weights = gate(np.array([0, 5, 1000])).numpy()
    np.testing.assert_array_equal(weights, weights[[0, 0, 0]])
    assert weights[0, 0] > weights[0, 1]


def test_increments_add_up() -> None:
    gate = _built(1, 3)
    gate.set_weights([np.array([[0.1]]), np.array([[-0.2], [0.4]])])
    # Sums 0.1, -0.1, 0.3; five times these 0.5, -0.5, 1.5, whose tanh are ±0.46212 and 0.90515.
    expected = [8**0.46212, 8**-0.46212, 8**0.90515]
    np.testing.assert_allclose(gate(np.array([0, 1, 2]))[:, 0], expected, rtol=1e-4)


@pytest.mark.parametrize(("base", "expected"), [(100.0, 8.0), (-100.0, 1 / 8)])
def test_no_expert_is_silenced(base: float, expected: float) -> None:
    gate = _built(1, 1)
    gate.set_weights([np.array([[base]]), np.zeros((0, 1))])
    np.testing.assert_allclose(gate(np.array([7])), [[expected]], rtol=1e-5)


def test_only_buckets_of_the_batch_learn_and_those_above_follow() -> None:
    # A gradient of bucket 1 reaches what buckets 0 and 1 add, and so moves bucket 3 as much.
    gate = _built(1, 4)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(gate(np.array([1, 1])))
    base, increments = tape.gradient(loss, gate.trainable_variables)
    assert tf.convert_to_tensor(base).numpy().item() > 0
    assert (tf.convert_to_tensor(increments).numpy().ravel() > 0).tolist() == [True, False, False]


@pytest.mark.parametrize("sizes", [(0, 1), (2, 0)])
def test_sizes_of_nothing(sizes: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="must be at least 1"):
        ClickGate(*sizes)
