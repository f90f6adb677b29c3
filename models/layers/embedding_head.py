"""From features to an embedding."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="adlens")
class EmbeddingHead(keras.layers.Layer):
    """Projects features and divides them by their length.

    The projection begins as a random rotation, which keeps what the features of a pretrained backbone say of
    likeness. Lengths are taken in float32, whatever the precision.

    Args:
        embedding_dim: int > 0, or None for the features as they are.
    Call arguments:
        features: float `[batch, feature_dim]`.
    Returns:
        float32 `[batch, embedding_dim]` (or feature_dim), of length 1.
    Raises:
        ValueError: if `embedding_dim` < 1.
    """

    def __init__(self, embedding_dim: int | None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if embedding_dim is not None and embedding_dim < 1:
            raise ValueError(f"embedding_dim must be at least 1, got {embedding_dim}")
        self.embedding_dim = embedding_dim
        self.seed = seed

    def build(self, features_shape: tuple) -> None:
        if self.embedding_dim is not None:
            self.kernel = self.add_weight(
                shape=(features_shape[-1], self.embedding_dim),
                initializer=keras.initializers.Orthogonal(seed=self.seed),
                name="kernel",
            )
        self.built = True

    def call(self, features: keras.KerasTensor) -> keras.KerasTensor:
        if self.embedding_dim is not None:
            features = ops.matmul(features, self.kernel)
        return ops.normalize(ops.cast(features, "float32"), axis=-1, epsilon=1e-12)

    def compute_output_shape(self, features_shape: tuple) -> tuple:
        return (features_shape[0], self.embedding_dim or features_shape[-1])

    def compute_output_spec(self, features: keras.KerasTensor) -> keras.KerasTensor:
        return keras.KerasTensor(self.compute_output_shape(features.shape), dtype="float32")

    def get_config(self) -> dict:
        return super().get_config() | {"embedding_dim": self.embedding_dim, "seed": self.seed}
