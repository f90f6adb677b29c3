"""Predicts the click from embeddings alone."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from models.content.content import extract_knowledge
from models.content.embedding_tables import EmbeddingTables
from models.layers.knowledge_extractor import KnowledgeExtractor
from models.make.config import MakeConfig
from transforms.configuration import from_values


@keras.saving.register_keras_serializable(package="adlens")
class MakeModel(keras.Model):
    """Predicts the click from frozen embeddings alone, to train the knowledge extractor.

    Args:
        embedding_shapes: (rows, embedding_dim) of each modality, row 0 included.
        config: sizes and seed.
    Call arguments:
        inputs: `<modality>_row` int `[batch]` and `behavior_<modality>_row` int `[batch, length]`.
    Returns:
        float32 `[batch]`, logits of the click.
    Source: Sheng et al. 2024 (arXiv 2407.19467), section 4.3, equations 3 to 5.
    """

    def __init__(
        self, embedding_shapes: Mapping[str, tuple[int, int]], config: MakeConfig, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.embedding_shapes = dict(embedding_shapes)
        self.config = config
        keras.utils.set_random_seed(config.seed)
        self.embeddings = EmbeddingTables(self.embedding_shapes, name="embeddings")
        self.extractor = KnowledgeExtractor(
            config.attention_units, config.mlp_units, config.projection_dim, name="extractor"
        )
        self.build()

    def build(self, input_shape: object = None) -> None:
        """Makes all variables; every width is known, so no input has to be seen."""
        self.embeddings.build()
        self.extractor.build([(None, dim) for dim in self.embeddings.dims])
        self.built = True

    def call(self, inputs: Mapping[str, tf.Tensor]) -> tf.Tensor:
        _, logits = extract_knowledge(self.extractor, self.embeddings(inputs, inputs))
        return tf.cast(logits, tf.float32)

    def get_config(self) -> dict:
        return {
            "name": self.name,
            "embedding_shapes": self.embedding_shapes,
            "config": dataclasses.asdict(self.config),
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "MakeModel":
        return cls(**(config | {"config": from_values(MakeConfig, config["config"])}))
