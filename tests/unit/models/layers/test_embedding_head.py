"""The projection that ends an encoder."""

import numpy as np
import pytest

from models.layers.embedding_head import EmbeddingHead


def test_by_hand() -> None:
    # (1, 2, 0) times the kernel is (3, 4), of length 5; (0, 1, -1) gives (1, 0).
    head = EmbeddingHead(2)
    head.build((None, 3))
    head.set_weights([np.array([[1, 2], [1, 1], [0, 1]])])
    output = head(np.array([[1, 2, 0], [0, 1, -1]], np.float32))
    np.testing.assert_allclose(output, [[0.6, 0.8], [1, 0]], rtol=1e-6, atol=1e-6)


def test_without_a_projection_features_are_divided_by_their_length() -> None:
    head = EmbeddingHead(None)
    np.testing.assert_allclose(head(np.array([[3, 0, 4]], np.float32)), [[0.6, 0, 0.8]], rtol=1e-6)
    assert not head.weights
    assert head.compute_output_shape((None, 3)) == (None, 3)


def test_likeness_outlives_a_projection_to_as_many_dimensions() -> None:
    # A rotation keeps every cosine.
    features = np.random.default_rng(0).normal(size=(6, 8)).astype(np.float32)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    output = np.array(EmbeddingHead(8, seed=1)(features))
    np.testing.assert_allclose(output @ output.T, unit @ unit.T, atol=1e-5)


def test_lengths_are_exact_in_low_precision() -> None:
    features = np.random.default_rng(0).normal(size=(6, 8)).astype(np.float32)
    output = EmbeddingHead(4, dtype="mixed_bfloat16")(features)
    np.testing.assert_allclose(np.linalg.norm(output, axis=1), np.ones(6), atol=1e-6)


def test_embedding_dim_is_checked() -> None:
    with pytest.raises(ValueError, match="got 0"):
        EmbeddingHead(0)
