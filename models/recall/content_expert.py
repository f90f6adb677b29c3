"""The expert that knows items by what they look and read like."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from models.content.content import Content
from models.recall.masked_mean import masked_mean


class ContentExpert(keras.layers.Layer):
    """Frozen embeddings under a learned projection; a user is the mean of the behaviors' vectors.

    An item's modalities are projected into one space, added, and brought to length 1, and so is the mean; an
    item without content and a user without behaviors are zeros. Both sides share the projection, so that an
    item is near to a user who clicked what is like it, whether training saw the item or not.

    Args:
        embedding_shapes: (rows, embedding_dim) of each modality's embeddings.
        content_dim: int > 0, of the vectors.
    """

    def __init__(
        self, embedding_shapes: Mapping[str, tuple[int, int]], content_dim: int, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.dims = [dim for _, dim in embedding_shapes.values()]
        self.projections = [
            keras.layers.Dense(
                content_dim, use_bias=False, kernel_initializer="orthogonal", name=f"{modality}_projection"
            )
            for modality in embedding_shapes
        ]

    def build(self, input_shape: object = None) -> None:
        for projection, dim in zip(self.projections, self.dims, strict=True):
            projection.build((None, dim))
        self.built = True

    def user(self, contents: Sequence[Content]) -> tf.Tensor:
        """float32 `[users, content_dim]` of one `Content` a modality."""
        vectors = self._project([content.behaviors for content in contents])
        is_there = tf.reduce_any([content.has_behavior for content in contents], axis=0)
        return tf.math.l2_normalize(masked_mean(vectors, is_there), axis=-1)

    def item(self, contents: Sequence[Content]) -> tf.Tensor:
        """float32 `[items, content_dim]` of one `Content` a modality."""
        return self._project([content.target for content in contents])

    def _project(self, embeddings: Sequence[tf.Tensor]) -> tf.Tensor:
        projected = [
            projection(embedding) for projection, embedding in zip(self.projections, embeddings, strict=True)
        ]
        return tf.math.l2_normalize(tf.add_n(projected), axis=-1)
