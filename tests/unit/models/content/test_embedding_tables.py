"""A model's way to the frozen embeddings."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from models.content.embedding_tables import EmbeddingTables

IMAGES = np.array([[0, 0], [1, 0], [0.6, 0.8]], np.float32)
TEXTS = np.array([[0, 0, 0], [0, 0, 1]], np.float32)
ROWS = {"image_row": np.array([2, 0]), "text_row": np.array([0, 1])}
BEHAVIORS = {
    "behavior_image_row": np.array([[1, 0, 2], [0, 0, 0]]),
    "behavior_text_row": np.array([[1, 1, 0], [0, 1, 0]]),
}


def _tables(dtype: str | None = None) -> EmbeddingTables:
    layer = EmbeddingTables({"image": (3, 2), "text": (2, 3)}, dtype=dtype)
    layer.build()
    layer.assign({"text": TEXTS, "image": IMAGES})
    return layer


def test_gathers_both_modalities_in_order() -> None:
    image, text = _tables()(BEHAVIORS, ROWS)
    np.testing.assert_array_equal(image.target, np.float32([[0.6, 0.8], [0, 0]]))
    np.testing.assert_array_equal(image.behaviors, IMAGES[[[1, 0, 2], [0, 0, 0]]])
    assert image.has_target.numpy().tolist() == [True, False]
    assert image.has_behavior.numpy().tolist() == [[True, False, True], [False] * 3]
    np.testing.assert_array_equal(text.target, [[0, 0, 0], [0, 0, 1]])
    assert text.behaviors.shape == (2, 3, 3)
    assert text.has_behavior.numpy().tolist() == [[True, True, False], [False, True, False]]


@pytest.mark.parametrize("shared", [False, True])
def test_says_whether_all_candidates_are_one_users(shared: bool) -> None:
    user = {name: rows[:1] for name, rows in BEHAVIORS.items()} if shared else BEHAVIORS
    contents = _tables()(user, ROWS, shared=shared)
    assert [content.shared for content in contents] == [shared] * 2
    assert contents[0].behaviors.shape == (1 if shared else 2, 3, 2)
    assert contents[0].similarity.shape == (2, 3)


def test_given_embeddings_come_first_where_they_are_not_zeros() -> None:
    given_candidates = {"image_embedding": np.array([[0, 0], [-3, 4]], np.float32)}
    given_behaviors = {
        "behavior_image_embedding": np.array([[[0, 0], [0, -7], [0.1, 0]], [[0, 0]] * 3], np.float32)
    }
    image, text = _tables()(BEHAVIORS | given_behaviors, ROWS | given_candidates)
    np.testing.assert_allclose(image.target, [[0.6, 0.8], [-0.6, 0.8]], atol=1e-6)
    assert image.has_target.numpy().tolist() == [True, True]
    np.testing.assert_allclose(image.behaviors, [[[1, 0], [0, -1], [1, 0]], [[0, 0]] * 3], atol=1e-6)
    assert image.has_behavior.numpy().tolist() == [[True, True, True], [False] * 3]
    np.testing.assert_array_equal(text.target, [[0, 0, 0], [0, 0, 1]])


components = st.floats(-100, 100, width=32).filter(lambda value: value == 0 or abs(value) > 1e-3)


@settings(max_examples=50, deadline=None)
@given(embeddings=st.lists(st.tuples(components, components), min_size=1, max_size=5))
def test_any_given_embedding_is_of_length_one(embeddings: list[tuple[float, float]]) -> None:
    layer = EmbeddingTables({"image": (1, 2)})
    inputs = {"image_row": np.zeros(len(embeddings), np.int32), "image_embedding": np.float32(embeddings)}
    [image] = layer({"behavior_image_row": np.zeros((1, 2), np.int32)}, inputs, shared=True)
    is_given = [any(embedding) for embedding in embeddings]
    assert image.has_target.numpy().tolist() == is_given
    np.testing.assert_allclose(np.linalg.norm(image.target, axis=-1), np.float32(is_given), atol=1e-5)


def test_nothing_is_trained() -> None:
    layer = _tables()
    assert len(layer.weights) == 2 and not layer.trainable_variables
    with tf.GradientTape() as tape:
        tape.watch([variable.value for variable in layer.weights])
        loss = sum(tf.reduce_sum(content.similarity) for content in layer(BEHAVIORS, ROWS))
    assert tape.gradient(loss, [variable.value for variable in layer.weights]) == [None, None]


def test_keeps_its_precision_in_mixed_precision() -> None:
    # 0.6 and 0.8 are no numbers of bfloat16.
    rows = ROWS | {"image_embedding": np.array([[0.28, 0.96], [0, 0]], np.float32)}
    contents = [_tables(dtype)(BEHAVIORS, rows)[0] for dtype in ("float32", "mixed_bfloat16")]
    for name in ("target", "behaviors", "similarity"):
        full, mixed = (getattr(content, name) for content in contents)
        assert mixed.dtype == tf.float32
        np.testing.assert_array_equal(full, mixed)


def test_dims_and_config() -> None:
    layer = _tables()
    assert layer.dims == [2, 3]
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.shapes == layer.shapes == {"image": (3, 2), "text": (2, 3)}
    again.set_weights(layer.get_weights())
    for ours, expected in zip(again(BEHAVIORS, ROWS), layer(BEHAVIORS, ROWS), strict=True):
        np.testing.assert_array_equal(ours.behaviors, expected.behaviors)


class Server(tf.Module):
    """What a pushed model does with the tables."""

    def __init__(self, tables: EmbeddingTables) -> None:
        super().__init__()
        self.tables = tables

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32), tf.TensorSpec([None, None], tf.int32)])
    def serve(self, rows: tf.Tensor, behaviors: tf.Tensor) -> tf.Tensor:
        """The images' similarities."""
        image, _ = self.tables(
            {"behavior_image_row": behaviors, "behavior_text_row": behaviors * 0},
            {"image_row": rows, "text_row": rows * 0},
        )
        return image.similarity


def test_a_saved_model_carries_the_embeddings(tmp_path: Path) -> None:
    tf.saved_model.save(Server(_tables()), str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    similarity = loaded.serve(tf.constant([2, 0]), tf.constant([[1, 0, 2], [1, 2, 0]]))
    # [0.6, 0.8] with [1, 0], none and itself; then none with any.
    np.testing.assert_allclose(similarity, [[0.6, 0, 1], [0, 0, 0]], atol=1e-6)
