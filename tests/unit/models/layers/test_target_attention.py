"""DIN's attention, against the form in which its paper writes it."""

import numpy as np
import pytest

from models.layers.target_attention import TargetAttention


def _literal(
    layer: TargetAttention, target: np.ndarray, behaviors: np.ndarray, mask: np.ndarray
) -> np.ndarray:
    """The MLP over the concatenation [q, k, q - k, q * k] of each pair, one at a time."""
    kernel, bias, *dense = (np.array(weight, np.float64) for weight in layer.get_weights())
    outputs = []
    for q, ks, reals in zip(target, behaviors, mask, strict=True):
        output = np.zeros_like(q, np.float64)
        for k in ks[reals]:
            hidden = np.maximum(np.concatenate([q, k, q - k, q * k]) @ kernel + bias, 0)
            for matrix, offset in zip(dense[:-2:2], dense[1:-2:2], strict=True):
                hidden = np.maximum(hidden @ matrix + offset, 0)
            output += (hidden @ dense[-2] + dense[-1]) * k
        outputs.append(output)
    return np.array(outputs)


@pytest.mark.parametrize("attention_units", [(8,), (8, 6)])
def test_equals_the_literal_form(attention_units: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    target = rng.normal(size=(4, 6)).astype(np.float32)
    behaviors = rng.normal(size=(4, 5, 6)).astype(np.float32)
    mask = rng.random((4, 5)) < 0.6
    layer = TargetAttention(attention_units)
    output = layer(target, behaviors, mask)
    layer.set_weights([rng.normal(size=weight.shape) for weight in layer.get_weights()])
    output = layer(target, behaviors, mask)
    np.testing.assert_allclose(output, _literal(layer, target, behaviors, mask), rtol=1e-4, atol=1e-4)


def test_by_hand() -> None:
    # One dimension, one unit, kernel (1, 2, 3, 4), bias 0.5; the weight is 2 * hidden - 1. Target q = 2.
    # k = 1:  hidden = 2 + 2 + 3 * (2 - 1) + 4 * 2 + 0.5 = 15.5, weight 30
    # k = -1: hidden = 2 - 2 + 3 * (2 + 1) - 4 * 2 + 0.5 =  1.5, weight  2
    # k = -3: hidden = 2 - 6 + 3 * (2 + 3) - 4 * 6 + 0.5 < 0,    weight -1
    # k = 9 is padding.  30 * 1 + 2 * -1 + -1 * -3 = 31
    layer = TargetAttention((1,))
    behaviors = np.array([[[1], [-1], [-3], [9]]], np.float32)
    mask = np.array([[True, True, True, False]])
    layer(np.array([[2.0]], np.float32), behaviors, mask)
    layer.set_weights([np.array([[1], [2], [3], [4]]), np.array([0.5]), np.array([[2]]), np.array([-1])])
    np.testing.assert_allclose(layer(np.array([[2.0]], np.float32), behaviors, mask), [[31]])


@pytest.mark.parametrize("policy, atol", [("float32", 1e-5), ("mixed_bfloat16", 0.05)])
def test_score_equals_call_with_the_user_repeated(policy: str, atol: float) -> None:
    rng = np.random.default_rng(0)
    targets = rng.normal(size=(7, 6)).astype(np.float32)
    behaviors = rng.normal(size=(1, 5, 6)).astype(np.float32)
    mask = np.array([[True, True, True, False, False]])
    layer = TargetAttention((8,), dtype=policy)
    layer.build(targets.shape)
    layer.set_weights([rng.normal(size=weight.shape) / 2 for weight in layer.get_weights()])
    expected = layer(targets, behaviors.repeat(7, 0), mask.repeat(7, 0))
    scored = layer.score(
        *(np.asarray(array).astype(expected.dtype.as_numpy_dtype) for array in (targets, behaviors)), mask
    )
    assert scored.dtype == expected.dtype
    np.testing.assert_allclose(
        np.array(scored, np.float32), np.array(expected, np.float32), rtol=atol, atol=atol
    )


def test_no_behaviors_give_zero() -> None:
    layer = TargetAttention((8,))
    target = np.ones((2, 6), np.float32)
    np.testing.assert_array_equal(
        layer(target, np.ones((2, 5, 6), np.float32), np.zeros((2, 5), bool)), np.zeros((2, 6))
    )
    scored = layer.score(target, np.ones((1, 5, 6), np.float32), np.zeros((1, 5), bool))
    np.testing.assert_array_equal(scored, np.zeros((2, 6)))


def test_no_hidden_layer_is_refused() -> None:
    with pytest.raises(ValueError, match="attention_units"):
        TargetAttention(())
