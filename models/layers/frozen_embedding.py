"""A table of vectors that training reads and never changes."""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="adlens")
class FrozenEmbedding(keras.layers.Layer):
    """A table of embeddings that are made elsewhere: rows are gathered, no gradient reaches them.

    It stays float32 under any policy, so that a similarity is the same number in training and in serving.
    Row 0 stands for an item without an embedding: zeros, and `compute_mask` says so.

    Args:
        rows: int > 0. Number of embeddings, row 0 included.
        embedding_dim: int > 0.
    Call arguments:
        ids: integer tensor of any shape, values in [0, rows).
    Returns:
        float32 `ids.shape + [embedding_dim]`.
    Raises:
        ValueError: if `rows` or `embedding_dim` < 1.
    """

    def __init__(self, rows: int, embedding_dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if rows < 1 or embedding_dim < 1:
            raise ValueError(f"rows and embedding_dim must be at least 1, got {rows} and {embedding_dim}")
        self.rows = rows
        self.embedding_dim = embedding_dim
        self.supports_masking = True

    def build(self, input_shape: object = None) -> None:
        self.table = self.add_weight(
            shape=(self.rows, self.embedding_dim),
            initializer="zeros",
            dtype="float32",
            trainable=False,
            autocast=False,  # a cast would read the whole table at each step
            name="table",
        )
        self.built = True

    def call(self, ids: tf.Tensor) -> tf.Tensor:
        return tf.stop_gradient(tf.nn.embedding_lookup(self.table.value, ids))

    def compute_mask(self, ids: tf.Tensor, previous_mask: tf.Tensor | None = None) -> tf.Tensor:
        """bool of the shape of `ids`, True where there is an embedding."""
        return keras.ops.not_equal(ids, 0)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*input_shape, self.embedding_dim)

    def compute_output_spec(self, ids: keras.KerasTensor) -> keras.KerasTensor:
        return keras.KerasTensor(self.compute_output_shape(ids.shape), "float32")

    def get_config(self) -> dict:
        return super().get_config() | {"rows": self.rows, "embedding_dim": self.embedding_dim}
