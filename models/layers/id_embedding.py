"""An embedding table whose rows train one by one."""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="adlens")
class IdEmbedding(keras.layers.Layer):
    """An embedding table that is only ever gathered from, never read whole.

    `keras.layers.Embedding` reads its variable before it gathers. Once rows of that variable have been
    updated in place, TensorFlow copies the whole table at each such read, so that a step costs time in
    proportion to the number of rows. Here rows are gathered straight from the variable, and the gradient is a
    `tf.IndexedSlices` that `RowwiseAdagrad` applies to the touched rows alone.

    Row 0 stands for a missing id. It is a row like any other (a missing shop may mean something); for
    sequences `compute_mask` says which positions are padding.

    Args:
        rows: int > 0. Number of ids, the missing one included.
        embedding_dim: int > 0.
        embeddings_initializer: initializer of the table; normal with a deviation of 1e-4 by default.
    Call arguments:
        ids: integer tensor of any shape, values in [0, rows).
    Returns:
        Tensor `ids.shape + [embedding_dim]` of the layer's compute dtype; the table itself stays float32.
    Raises:
        ValueError: if `rows` or `embedding_dim` < 1.
    """

    def __init__(
        self,
        rows: int,
        embedding_dim: int,
        embeddings_initializer: str | dict | keras.initializers.Initializer | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if rows < 1 or embedding_dim < 1:
            raise ValueError(f"rows and embedding_dim must be at least 1, got {rows} and {embedding_dim}")
        self.rows = rows
        self.embedding_dim = embedding_dim
        # Rows that training never touches, those of unknown ids above all, keep what they start with:
        # anything but nearly nothing would be noise in each of their predictions.
        self.embeddings_initializer = keras.initializers.get(
            embeddings_initializer or keras.initializers.RandomNormal(stddev=1e-4)
        )
        self.supports_masking = True

    def build(self, input_shape: object = None) -> None:
        self.table = self.add_weight(
            shape=(self.rows, self.embedding_dim),
            initializer=self.embeddings_initializer,
            name="table",
            autocast=False,  # a cast would read the whole table at each step
        )
        self.table.rowwise = True  # RowwiseAdagrad's sign
        self.built = True

    def call(self, ids: tf.Tensor) -> tf.Tensor:
        return tf.cast(tf.nn.embedding_lookup(self.table.value, ids), self.compute_dtype)

    def compute_mask(self, ids: tf.Tensor, previous_mask: tf.Tensor | None = None) -> tf.Tensor:
        """bool of the shape of `ids`, True where an id is there."""
        return keras.ops.not_equal(ids, 0)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*input_shape, self.embedding_dim)

    def get_config(self) -> dict:
        return super().get_config() | {
            "rows": self.rows,
            "embedding_dim": self.embedding_dim,
            "embeddings_initializer": keras.initializers.serialize(self.embeddings_initializer),
        }
