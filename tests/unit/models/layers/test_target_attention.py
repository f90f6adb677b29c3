"""The attention's fast forms against the formula as the paper writes it."""

import keras
import numpy as np
import pytest

from models.layers.target_attention import TargetAttention


def literal(layer, target, behaviors, mask):
    """[q, k, q - k, q * k] through the MLP, one pair of target and behavior after another."""
    kernel, bias = np.asarray(layer.kernel), np.asarray(layer.bias)
    dense = [np.asarray(weight) for weight in layer.weigh.get_weights()]
    result = np.zeros_like(target)
    for row in range(len(target)):
        for position in np.flatnonzero(mask[row]):
            q, k = target[row], behaviors[row, position]
            hidden = np.maximum(np.concatenate([q, k, q - k, q * k]) @ kernel + bias, 0)
            for index in range(0, len(dense), 2):
                hidden = hidden @ dense[index] + dense[index + 1]
                if index + 2 < len(dense):
                    hidden = np.maximum(hidden, 0)
            result[row] += hidden[0] * k
    return result


@pytest.fixture
def layer():
    keras.utils.set_random_seed(3)
    layer = TargetAttention((8, 5), kernel_initializer="normal")
    layer.build((None, 4), (None, None, 4), (None, None))
    layer.set_weights([np.random.default_rng(1).normal(size=weight.shape) for weight in layer.get_weights()])
    return layer


def test_equals_the_mlp_over_the_concatenation(layer):
    rng = np.random.default_rng(2)
    target, behaviors = rng.normal(size=(6, 4)), rng.normal(size=(6, 7, 4))
    mask = rng.random((6, 7)) < 0.6
    found = layer(target.astype("float32"), behaviors.astype("float32"), mask)
    np.testing.assert_allclose(found, literal(layer, target, behaviors, mask), rtol=2e-4, atol=2e-4)


def test_score_equals_call_with_the_user_repeated(layer):
    rng = np.random.default_rng(4)
    targets = rng.normal(size=(9, 4)).astype("float32")
    behaviors = rng.normal(size=(1, 7, 4)).astype("float32")
    mask = np.array([[True] * 5 + [False] * 2])
    repeated = layer(targets, np.repeat(behaviors, 9, axis=0), np.repeat(mask, 9, axis=0))
    np.testing.assert_allclose(layer.score(targets, behaviors, mask), repeated, rtol=1e-4, atol=1e-4)


def test_weights_worked_out_by_hand():
    # One hidden unit, dim 1, kernel [1, 2, 3, 4], bias 0, output weight 1: for q = 2 and k = 1 the hidden unit is
    # 2*1 + 1*2 + (2-1)*3 + (2*1)*4 = 15, so the interest is 15 * 1; for k = -1 it is 2 - 2 + 9 - 8 = 1, so -1.
    layer = TargetAttention((1,))
    layer.build((None, 1), (None, None, 1), (None, None))
    layer.set_weights([np.array([[1.0], [2], [3], [4]]), np.zeros(1), np.ones((1, 1)), np.zeros(1)])
    target, behaviors = np.array([[2.0]], "float32"), np.array([[[1.0], [-1.0], [5.0]]], "float32")
    assert float(layer(target, behaviors, np.array([[True, False, False]]))[0, 0]) == pytest.approx(15)
    assert float(layer(target, behaviors, np.array([[True, True, False]]))[0, 0]) == pytest.approx(14)


def test_no_layer_is_an_error():
    with pytest.raises(ValueError, match="attention_units"):
        TargetAttention(())
