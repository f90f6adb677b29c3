"""Contrastive learning of titles and pictures of the same items."""

import math
from typing import Any

import keras
from keras import ops

from models.encoder.scl_model import MAX_SCALE
from models.losses.info_nce import in_batch_negative_terms, info_nce


@keras.saving.register_keras_serializable(package="adlens")
class TitleImageModel(keras.Model):
    """Draws an item's picture to its title, and away from other items' titles, and the other way around.

    What the papers compare semantic-aware learning with: both towers are trained, on the catalog alone, and
    no search or purchase is looked at.

    Args:
        image_encoder: a built model from pixels to unit vectors `[batch, embedding_dim]`.
        text_encoder: a built model from tokens to unit vectors of the same length.
        temperature: the learnable temperature's first value.
    Call arguments:
        inputs: "image" and "text", what the encoders take; "item_id" int32 `[batch]`.
    Returns:
        A tuple of float32 `[batch, embedding_dim]`, pictures and titles.
    Source: Radford et al. 2021 (arXiv 2103.00020), figure 3; CLIP-E of Sheng et al. 2024, section 6.1.2.
    """

    def __init__(
        self,
        image_encoder: keras.Model,
        text_encoder: keras.Model,
        temperature: float = 0.07,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.image_encoder = image_encoder
        self.text_encoder = text_encoder
        self.temperature = temperature
        self.log_scale = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(math.log(1 / temperature)),
            dtype="float32",
            name="log_scale",
        )
        self.built = True

    def call(self, inputs: dict[str, Any], training: bool = False) -> tuple:
        images = self.image_encoder(inputs["image"], training=training)
        texts = self.text_encoder(inputs["text"], training=training)
        scale = ops.exp(ops.minimum(self.log_scale, math.log(MAX_SCALE)))
        positive_logits = ops.sum(images * texts, axis=-1) * scale
        item_ids = inputs["item_id"]
        losses = [
            ops.mean(info_nce(positive_logits, in_batch_negative_terms(queries * scale, keys, item_ids)))
            for queries, keys in ((images, texts), (texts, images))
        ]
        # As in `SclModel`: what another replica left there is not this one's.
        self._clear_losses()
        self.add_loss(sum(losses) / 2)
        return images, texts

    def get_config(self) -> dict:
        return super().get_config() | {
            "image_encoder": keras.saving.serialize_keras_object(self.image_encoder),
            "text_encoder": keras.saving.serialize_keras_object(self.text_encoder),
            "temperature": self.temperature,
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "TitleImageModel":
        towers = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects)
            for name in ("image_encoder", "text_encoder")
        }
        return cls(**{**config, **towers})
