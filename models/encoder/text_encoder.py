"""The encoder of texts."""

from typing import Any

import keras
from keras import ops

from models.layers.embedding_head import EmbeddingHead


@keras.saving.register_keras_serializable(package="adlens")
class TextEncoder(keras.Model):
    """A text's embedding: a KerasHub BERT, the mean over the real tokens, a projection.

    Args:
        backbone: a KerasHub text backbone that takes token_ids, segment_ids and padding_mask and gives
            `sequence_output`.
        embedding_dim: int > 0, or None for the backbone's features as they come.
        seed: of the projection's initial values.
    Call arguments:
        token_ids: int32 `[batch, length]`, padded with the backbone's padding, real ones first.
        padding_id: which token is padding.
    Returns:
        float32 `[batch, embedding_dim]`, of length 1.
    Source: Devlin et al. 2019 (arXiv 1810.04805); mean pooling as in Reimers and Gurevych 2019
        (arXiv 1908.10084).
    """

    def __init__(
        self,
        backbone: keras.Model,
        embedding_dim: int | None,
        padding_id: int = 0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.backbone = backbone
        self.padding_id = padding_id
        self.head = EmbeddingHead(embedding_dim, seed, dtype=self.dtype_policy, name="head")
        self.head.build((None, backbone.output["sequence_output"].shape[-1]))
        self.built = True

    def call(self, token_ids: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        is_real = ops.not_equal(token_ids, self.padding_id)
        inputs = {
            "token_ids": token_ids,
            "segment_ids": ops.zeros_like(token_ids),
            "padding_mask": ops.cast(is_real, "int32"),
        }
        tokens = self.backbone(inputs, training=training)["sequence_output"]
        weights = ops.cast(is_real, tokens.dtype)[..., None]
        return self.head(ops.sum(tokens * weights, axis=1) / ops.maximum(ops.sum(weights, axis=1), 1))

    def get_config(self) -> dict:
        return super().get_config() | {
            "backbone": keras.saving.serialize_keras_object(self.backbone),
            "embedding_dim": self.head.embedding_dim,
            "padding_id": self.padding_id,
            "seed": self.head.seed,
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "TextEncoder":
        backbone = keras.saving.deserialize_keras_object(config["backbone"], custom_objects)
        return cls(**{**config, "backbone": backbone})
