"""The frozen embeddings of all modalities, and a model's way to them."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from models.content.content import Content
from models.layers.frozen_embedding import FrozenEmbedding

# The least positive number that float32 holds without losing digits; nothing is divided by zero.
_TINY = float(np.finfo(np.float32).tiny)


@keras.saving.register_keras_serializable(package="adlens")
class EmbeddingTables(keras.layers.Layer):
    """The frozen embeddings of all modalities, from which a batch gathers those of its items.

    An impression carries rows alone: `<modality>_row` of its item and `behavior_<modality>_row` of its user's
    behaviors, 0 where there is no embedding. A caller may hand an embedding over instead, as
    `<modality>_embedding` and `behavior_<modality>_embedding`: it is brought to length 1 and taken in the
    table's place; where it is zeros, or so short that its squared length is zero in float32 (below about
    1e-19), the table's is taken.

    Args:
        shapes: (rows, embedding_dim) of each modality, row 0 included.
    Call arguments:
        user_inputs: the behaviors' rows, int `[batch, length]` or `[1, length]`, and embeddings
            `[1, length, dim]`.
        candidate_inputs: the items' rows, int `[batch]`, and embeddings `[batch, dim]`.
        shared: whether all candidates are one user's.
    Returns:
        A `Content` for each modality, in their order.
    """

    def __init__(self, shapes: Mapping[str, tuple[int, int]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shapes = {modality: (int(rows), int(dim)) for modality, (rows, dim) in shapes.items()}
        self.tables = {
            modality: FrozenEmbedding(rows, dim, name=f"{modality}_embeddings")
            for modality, (rows, dim) in self.shapes.items()
        }
        # Similarities keep their precision in mixed precision.
        self.autocast = False

    def build(self, input_shape: object = None) -> None:
        for table in self.tables.values():
            table.build()
        self.built = True

    def assign(self, vectors: Mapping[str, np.ndarray]) -> None:
        """Fills the tables. `vectors`: float32 `[rows, dim]` by modality."""
        for modality, table in self.tables.items():
            table.table.assign(vectors[modality])

    @property
    def dims(self) -> list[int]:
        """The size of each modality's embeddings."""
        return [dim for _, dim in self.shapes.values()]

    def call(
        self,
        user_inputs: Mapping[str, tf.Tensor],
        candidate_inputs: Mapping[str, tf.Tensor],
        shared: bool = False,
    ) -> list[Content]:
        return [
            Content(
                *self._look_up(modality, f"{modality}_", candidate_inputs),
                *self._look_up(modality, f"behavior_{modality}_", user_inputs),
                shared,
            )
            for modality in self.tables
        ]

    def _look_up(
        self, modality: str, prefix: str, inputs: Mapping[str, tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor]:
        rows, given = inputs[f"{prefix}row"], inputs.get(f"{prefix}embedding")
        if given is None:
            return self.tables[modality](rows), tf.not_equal(rows, 0)
        # Sums, not comparisons, of numbers as many as items times dimensions: TensorFlow is slow at the latter.
        squared_length = tf.reduce_sum(given * given, axis=-1, keepdims=True)
        is_given = tf.greater(squared_length[..., 0], 0)
        rows = tf.where(is_given, tf.zeros_like(rows), rows)  # row 0 is zeros
        vectors = self.tables[modality](rows) + given * tf.math.rsqrt(tf.maximum(squared_length, _TINY))
        return vectors, tf.logical_or(tf.not_equal(rows, 0), is_given)

    def get_config(self) -> dict:
        return super().get_config() | {"shapes": self.shapes}
