"""MAKE's layer, against its equations taken by the letter."""

import numpy as np
import pytest
import tensorflow as tf

from models.layers.knowledge_extractor import KnowledgeExtractor

BATCH, LENGTH = 5, 4
# Of the modalities, and of what each is projected to.
DIMS, PROJECTED = (9, 6), 3

Inputs = tuple[list[np.ndarray], list[np.ndarray], np.ndarray, np.ndarray]


def _unit_vectors(rng: np.random.Generator, *shape: int) -> np.ndarray:
    vectors = rng.normal(size=shape)
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def _inputs(seed: int = 0) -> Inputs:
    rng = np.random.default_rng(seed)
    padding_mask = np.array([[1, 1, 1, 1], [1, 0, 0, 0], [0, 0, 0, 0], [0, 1, 0, 1], [1, 1, 0, 0]], bool)
    there = padding_mask[..., None].astype(np.float32)
    targets = [_unit_vectors(rng, BATCH, dim) for dim in DIMS]
    behaviors = [_unit_vectors(rng, BATCH, LENGTH, dim) * there for dim in DIMS]
    similarities = rng.uniform(-1, 1, (2, BATCH, LENGTH)).astype(np.float32) * padding_mask
    return targets, behaviors, padding_mask, similarities


def _layer(dtype: str | None = None) -> KnowledgeExtractor:
    """With weights that are not those it begins with, biases included."""
    layer = KnowledgeExtractor((6, 3), (7, 5, 2), PROJECTED, dtype=dtype)
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


def _din(layer: KnowledgeExtractor, q: np.ndarray, pairs: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """The sum of behaviors and similarities, each times the MLP of the concatenation of all that is known."""
    kernel, bias, of_similarities, *dense = (
        np.array(weight, np.float64) for weight in layer.attention.get_weights()
    )
    total = np.zeros(8)  # two modalities of 3 dimensions, and their similarities
    for k, s in pairs:
        together = np.concatenate([q, k, q - k, q * k, s])
        hidden = np.maximum(together @ np.concatenate([kernel, of_similarities]) + bias, 0)
        hidden = np.maximum(hidden @ dense[0] + dense[1], 0)
        total += (hidden @ dense[2] + dense[3]) * np.concatenate([k, s])
    return total


def _project(layer: KnowledgeExtractor, vectors: list[np.ndarray]) -> np.ndarray:
    """The modalities' projections side by side."""
    return np.concatenate(
        [
            vector.astype(np.float64) @ np.array(projection, np.float64)
            for vector, projection in zip(vectors, layer.projections, strict=True)
        ]
    )


def _literal(layer: KnowledgeExtractor, inputs: Inputs) -> tuple[np.ndarray, np.ndarray]:
    """One target and one behavior at a time, in double precision."""
    targets, behaviors, padding_mask, similarities = inputs
    knowledge, logits = [], []
    for row in range(BATCH):
        q = _project(layer, [vectors[row] for vectors in targets])
        pairs = [
            (_project(layer, [vectors[row, place] for vectors in behaviors]), similarities[:, row, place])
            for place in range(LENGTH)
            if padding_mask[row, place]
        ]
        interest = _din(layer, q, pairs)
        outputs = [np.concatenate([interest, q, interest[:6] * q])]
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
    expected_knowledge, expected_logits = _literal(layer, inputs)
    np.testing.assert_allclose(knowledge, expected_knowledge, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(logits, expected_logits, rtol=1e-4, atol=1e-4)
    # Of the 14 hidden units more than half speak for some target.
    assert (expected_knowledge[:, -14:] > 0).any(axis=0).sum() > 7


def test_shapes() -> None:
    layer = _layer()
    knowledge, logits = layer(*_inputs())
    # 3 for each of two modalities of DIN's sum, the target and their product, 2 summed similarities, and hidden
    # layers of 7, 5 and 2: 6 + 6 + 6 + 2 + 14.
    assert knowledge.shape == (BATCH, 34) and logits.shape == (BATCH,)
    assert layer.knowledge_width(2) == 34
    assert layer.compute_output_shape([(None, 9), (None, 6)]) == ((None, 34), (None,))


@pytest.mark.parametrize("policy, atol", [("float32", 1e-5), ("mixed_bfloat16", 0.3)])
def test_shared_user_equals_the_user_repeated(policy: str, atol: float) -> None:
    layer = _layer(policy)
    targets, behaviors, _, _ = _inputs(3)
    users, padding_mask = [vectors[:1] for vectors in behaviors], np.array([[True, True, False, True]])
    similarities = np.random.default_rng(4).uniform(-1, 1, (2, BATCH, LENGTH)).astype(np.float32)
    shared = layer(targets, users, padding_mask, similarities, shared=True)
    repeated_users = [vectors.repeat(BATCH, 0) for vectors in users]
    repeated = layer(targets, repeated_users, padding_mask.repeat(BATCH, 0), similarities)
    for ours, expected in zip(shared, repeated, strict=True):
        np.testing.assert_allclose(tf.cast(ours, tf.float32), tf.cast(expected, tf.float32), atol=atol)


def test_padded_behaviors_do_not_matter() -> None:
    layer = _layer()
    targets, behaviors, padding_mask, similarities = _inputs()
    there = padding_mask[..., None]
    other_behaviors = [np.where(there, vectors, 7).astype(np.float32) for vectors in behaviors]
    other_similarities = np.where(padding_mask, similarities, -3).astype(np.float32)
    before = layer(targets, behaviors, padding_mask, similarities)
    for ours, expected in zip(
        layer(targets, other_behaviors, padding_mask, other_similarities), before, strict=True
    ):
        np.testing.assert_array_equal(ours, expected)


def test_without_target_and_behaviors_only_biases_speak() -> None:
    layer = _layer()
    knowledge, logits = layer(*tf.nest.map_structure(np.zeros_like, _inputs()))
    np.testing.assert_array_equal(knowledge[:, :-14], np.zeros((BATCH, 20)))
    _, bias = _dense(layer, "hidden_0")
    np.testing.assert_allclose(knowledge[0, -14:-7], np.maximum(bias, 0), rtol=1e-6)
    assert len(set(logits.numpy())) == 1


def test_a_missing_target_is_zeros_among_others() -> None:
    # What one row lacks changes no other row, and its own sum is that of the behaviors, weighed without it.
    layer = _layer()
    targets, behaviors, padding_mask, similarities = _inputs()
    for vectors in targets:
        vectors[0] = 0
    knowledge, _ = layer(targets, behaviors, padding_mask, similarities)
    expected, _ = _literal(layer, (targets, behaviors, padding_mask, similarities))
    np.testing.assert_allclose(knowledge, expected, rtol=1e-4, atol=1e-4)
    # After the 8 of the sum the target and the product.
    np.testing.assert_array_equal(knowledge[0, 8:20], np.zeros(12))


def test_one_modality_alone_may_be_missing() -> None:
    # A behavior with a text and no image is real; its image is zeros.
    layer = _layer()
    targets, behaviors, padding_mask, similarities = _inputs()
    targets[0][1] = 0
    behaviors[0][0, 2] = 0
    inputs = targets, behaviors, padding_mask, similarities
    for ours, expected in zip(layer(*inputs), _literal(layer, inputs), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4)


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


def test_needs_a_projection() -> None:
    with pytest.raises(ValueError, match="projection_dim must be at least 1, got 0"):
        KnowledgeExtractor(projection_dim=0)
