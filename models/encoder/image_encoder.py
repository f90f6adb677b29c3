"""The encoder of pictures."""

from typing import Any

import keras
from keras import ops

from models.layers.embedding_head import EmbeddingHead


@keras.saving.register_keras_serializable(package="adlens")
class ImageEncoder(keras.Model):
    """A picture's embedding: a KerasHub backbone, the mean over places, a projection.

    Args:
        backbone: a KerasHub image backbone: a transformer, whose output is `[batch, places, dim]`, or a
            convolutional network, `[batch, height, width, dim]`.
        embedding_dim: int > 0, or None for the backbone's features as they come.
        pixel_mean: what is taken from a pixel, of each channel.
        pixel_scale: what it is then divided by, of each channel.
        seed: of the projection's initial values.
    Call arguments:
        pixels: float32 `[batch, height, width, 3]`, RGB from 0 to 255.
    Returns:
        float32 `[batch, embedding_dim]`, of length 1.
    Source: Dosovitskiy et al. 2021 (arXiv 2010.11929); the mean over places instead of the class token as in
        Beyer et al. 2022 (arXiv 2205.01580).
    """

    def __init__(
        self,
        backbone: keras.Model,
        embedding_dim: int | None,
        pixel_mean: tuple[float, ...] = (127.5, 127.5, 127.5),
        pixel_scale: tuple[float, ...] = (127.5, 127.5, 127.5),
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.backbone = backbone
        self.pixel_mean = tuple(pixel_mean)
        self.pixel_scale = tuple(pixel_scale)
        self.head = EmbeddingHead(embedding_dim, seed, dtype=self.dtype_policy, name="head")
        self.head.build((None, backbone.output_shape[-1]))
        self.built = True

    def call(self, pixels: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        pixels = (ops.cast(pixels, "float32") - ops.array(self.pixel_mean)) / ops.array(self.pixel_scale)
        features = self.backbone(pixels, training=training)
        places = tuple(range(1, len(features.shape) - 1))
        return self.head(ops.mean(features, axis=places))

    def get_config(self) -> dict:
        return super().get_config() | {
            "backbone": keras.saving.serialize_keras_object(self.backbone),
            "embedding_dim": self.head.embedding_dim,
            "pixel_mean": self.pixel_mean,
            "pixel_scale": self.pixel_scale,
            "seed": self.head.seed,
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "ImageEncoder":
        backbone = keras.saving.deserialize_keras_object(config["backbone"], custom_objects)
        return cls(**{**config, "backbone": backbone})
