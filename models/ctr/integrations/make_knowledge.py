"""What MAKE has learned."""

from collections.abc import Sequence
from typing import Any

import keras

from models.content.content import Content, extract_knowledge
from models.ctr.addition import Addition
from models.ctr.integrations.integration import Integration
from models.layers.knowledge_extractor import KnowledgeExtractor


@keras.saving.register_keras_serializable(package="adlens")
class MakeKnowledge(Integration):
    """Adds v_MAKE and the intermediate outputs of MAKE's MLP to the MLP's inputs.

    Args:
        attention_units: see `KnowledgeExtractor`.
        mlp_units: see `KnowledgeExtractor`.
        projection_dim: see `KnowledgeExtractor`.
    Source: Sheng et al. 2024 (arXiv 2407.19467), section 4.3, "Knowledge utilization".
    """

    def __init__(
        self, attention_units: Sequence[int], mlp_units: Sequence[int], projection_dim: int, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.extractor = KnowledgeExtractor(
            attention_units, mlp_units, projection_dim, dtype=self.dtype_policy, name="extractor"
        )

    def build(self, dims: Sequence[int]) -> None:
        self.extractor.build([(None, dim) for dim in dims])
        # Only MAKE's own training asks for its logit.
        self.extractor.logit.trainable = False
        self.built = True

    def candidate_width(self, dims: Sequence[int]) -> int:
        return self.extractor.knowledge_width(len(dims))

    def call(self, contents: Sequence[Content]) -> Addition:
        knowledge, _ = extract_knowledge(self.extractor, contents)
        return Addition(candidate=[knowledge])

    def get_config(self) -> dict:
        return super().get_config() | {
            "attention_units": self.extractor.attention_units,
            "mlp_units": self.extractor.mlp_units,
            "projection_dim": self.extractor.projection_dim,
        }
