"""MAKE's layer, against its equations taken by the letter."""

import numpy as np
import pytest
import tensorflow as tf

from models.layers.knowledge_extractor import KnowledgeExtractor

BATCH, LENGTH, DIM = 5, 4, 9
UNITS = {"attention_units": (6, 3), "mlp_units": (7, 5, 2)}


def _unit_vectors(rng: np.random.Generator, *shape: int) -> np.ndarray:
    vectors = rng.normal(size=shape)
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def _inputs(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    padding_mask = np.array([[1, 1, 1, 1], [1, 0, 0, 0], [0, 0, 0, 0], [0, 1, 0, 1], [1, 1, 0, 0]], bool)
    behaviors = _unit_vectors(rng, BATCH, LENGTH, DIM) * padding_mask[..., None]
    return _unit_vectors(rng, BATCH, DIM), behaviors.astype(np.float32), padding_mask


def _layer(dtype: str | None = None) -> KnowledgeExtractor:
    """With weights that are not those it begins with, biases included."""
    layer = KnowledgeExtractor(**UNITS, dtype=dtype)
    layer(*_inputs())
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(size=weight.shape) / 2 for weight in layer.get_weights()])
    return layer


def _dense(layer: KnowledgeExtractor, path: str) -> tuple[np.ndarray, np.ndarray]:
    """The kernel and bias below a path, in double precision."""
    kernel, bias = (
        np.array(variable, np.float64) for variable in layer.weights if variable.path.split("/")[-2] == path
    )
    return kernel, bias


def _din(layer: KnowledgeExtractor, q: np.ndarray, behaviors: np.ndarray) -> np.ndarray:
    """The sum of behaviors, each times the MLP of the concatenation that DIN's authors write."""
    kernel, bias, *dense = (np.array(weight, np.float64) for weight in layer.attention.get_weights())
    total = np.zeros(DIM)
    for k in behaviors:
        hidden = np.maximum(np.concatenate([q, k, q - k, q * k]) @ kernel + bias, 0)
        hidden = np.maximum(hidden @ dense[0] + dense[1], 0)
        total += (hidden @ dense[2] + dense[3]) * k
    return total


def _literal(
    layer: KnowledgeExtractor, targets: np.ndarray, behaviors: np.ndarray, padding_mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    knowledge, logits = [], []
    for target, ks, reals in zip(targets, behaviors, padding_mask, strict=True):
        # DIM is 9, so a length of 1 is scaled to one of 3.
        q = target.astype(np.float64) * 3
        outputs = [np.concatenate([_din(layer, q, ks[reals].astype(np.float64) * 3), q])]
        for place in range(3):
            kernel, bias = _dense(layer, f"hidden_{place}")
            outputs.append(np.maximum(outputs[-1] @ kernel + bias, 0))
        kernel, bias = _dense(layer, "logit")
        knowledge.append(np.concatenate(outputs))
        logits.append((outputs[-1] @ kernel + bias)[0])
    return np.array(knowledge), np.array(logits)


def test_equals_the_equations() -> None:
    layer, inputs = _layer(), _inputs(2)
    knowledge, logits = layer(*inputs)
    expected_knowledge, expected_logits = _literal(layer, *inputs)
    np.testing.assert_allclose(knowledge, expected_knowledge, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(logits, expected_logits, rtol=1e-4, atol=1e-4)
    assert (expected_knowledge[:, 2 * DIM :] > 0).any(
        axis=0
    ).sum() > 7  # the hidden layers are not all cut off


def test_shapes() -> None:
    layer = _layer()
    knowledge, logits = layer(*_inputs())
    # DIN's sum and the target, 9 each, and hidden layers of 7, 5 and 2.
    assert knowledge.shape == (BATCH, 32) and logits.shape == (BATCH,)
    assert layer.knowledge_width(DIM) == 32
    assert layer.compute_output_shape((None, DIM)) == ((None, 32), (None,))


@pytest.mark.parametrize("policy, atol", [("float32", 1e-5), ("mixed_bfloat16", 0.3)])
def test_shared_user_equals_the_user_repeated(policy: str, atol: float) -> None:
    layer = _layer(policy)
    targets, behaviors, _ = _inputs(3)
    behaviors, padding_mask = behaviors[:1], np.array([[True, True, False, True]])
    shared = layer(targets, behaviors, padding_mask, shared=True)
    repeated = layer(targets, behaviors.repeat(BATCH, 0), padding_mask.repeat(BATCH, 0))
    for ours, expected in zip(shared, repeated, strict=True):
        np.testing.assert_allclose(tf.cast(ours, tf.float32), tf.cast(expected, tf.float32), atol=atol)


def test_padded_behaviors_do_not_matter() -> None:
    layer = _layer()
    targets, behaviors, padding_mask = _inputs()
    otherwise = np.where(padding_mask[..., None], behaviors, 7).astype(np.float32)
    for before, after in zip(
        layer(targets, behaviors, padding_mask), layer(targets, otherwise, padding_mask), strict=True
    ):
        np.testing.assert_array_equal(after, before)


def test_without_target_and_behaviors_only_biases_speak() -> None:
    layer = _layer()
    knowledge, logits = layer(np.zeros((2, DIM)), np.zeros((2, LENGTH, DIM)), np.zeros((2, LENGTH), bool))
    np.testing.assert_array_equal(knowledge[:, : 2 * DIM], np.zeros((2, 2 * DIM)))
    _, bias = _dense(layer, "hidden_0")
    np.testing.assert_allclose(knowledge[0, 2 * DIM : 2 * DIM + 7], np.maximum(bias, 0), rtol=1e-6)
    assert logits[0] == logits[1]


def test_the_loss_reaches_all_weights() -> None:
    layer, inputs = _layer(), _inputs()
    with tf.GradientTape() as tape:
        _, logits = layer(*inputs)
        loss = tf.reduce_sum(logits**2)
    for variable, gradient in zip(
        layer.trainable_variables, tape.gradient(loss, layer.trainable_variables), strict=True
    ):
        assert np.abs(gradient).max() > 0, variable.path


@pytest.mark.parametrize("units", [{"attention_units": ()}, {"mlp_units": ()}])
def test_needs_layers(units: dict) -> None:
    with pytest.raises(ValueError, match="attention_units and mlp_units must name layers, got "):
        KnowledgeExtractor(**units)
