"""What a modality knows of candidates and behaviors."""

import numpy as np
import pytest
import tensorflow as tf

from models.content.content import Content, extract_knowledge
from models.layers.knowledge_extractor import KnowledgeExtractor

BATCH, LENGTH = 4, 3


def _content(dim: int, seed: int, users: int = BATCH) -> Content:
    """Some of the embeddings are missing, and then zeros."""
    rng = np.random.default_rng(seed)
    has_target, has_behavior = np.array([True, False, True, True]), rng.random((users, LENGTH)) < 0.6
    target = rng.normal(size=(BATCH, dim)) * has_target[:, None]
    behaviors = rng.normal(size=(users, LENGTH, dim)) * has_behavior[..., None]
    return Content(
        tf.constant(target, tf.float32),
        tf.constant(has_target),
        tf.constant(behaviors, tf.float32),
        tf.constant(has_behavior),
        shared=users == 1,
    )


@pytest.mark.parametrize("users", [1, BATCH])
def test_similarity_is_the_dot_product(users: int) -> None:
    content = _content(5, seed=0, users=users)
    targets, behaviors = content.target.numpy(), content.behaviors.numpy()
    expected = [
        [float(targets[row] @ behaviors[row % users, place]) for place in range(LENGTH)]
        for row in range(BATCH)
    ]
    assert content.similarity.shape == (BATCH, LENGTH)
    np.testing.assert_allclose(content.similarity, expected, atol=1e-6)
    assert not content.similarity.numpy()[1].any()


@pytest.mark.parametrize("users", [1, BATCH])
def test_a_similarity_needs_both_embeddings(users: int) -> None:
    content = _content(5, seed=1, users=users)
    targets, behaviors = content.target.numpy(), content.behaviors.numpy()
    expected = [
        [bool(targets[row].any() and behaviors[row % users, place].any()) for place in range(LENGTH)]
        for row in range(BATCH)
    ]
    assert content.has_similarity.numpy().tolist() == expected
    assert 0 < np.sum(expected) < BATCH * LENGTH


@pytest.mark.parametrize("users", [1, BATCH])
def test_knowledge_is_of_all_modalities_together(users: int) -> None:
    image, text = _content(5, seed=4, users=users), _content(3, seed=5, users=users)
    extractor = KnowledgeExtractor((4,), (5, 3), projection_dim=2)
    extractor.build([(None, 5), (None, 3)])
    # A behavior of which one modality is there is there; each similarity is that of its modality.
    padding_mask = image.has_behavior.numpy() | text.has_behavior.numpy()
    assert (padding_mask != image.has_behavior.numpy()).any() and not padding_mask.all()
    similarities = np.stack([image.similarity, text.similarity])
    expected = extractor(
        [image.target, text.target],
        [image.behaviors, text.behaviors],
        padding_mask,
        similarities,
        shared=users == 1,
    )
    for ours, wanted in zip(extract_knowledge(extractor, [image, text]), expected, strict=True):
        np.testing.assert_allclose(ours, wanted, atol=1e-6)
