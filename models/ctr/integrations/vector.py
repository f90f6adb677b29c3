"""Embeddings beside the IDs."""

from collections.abc import Sequence

import keras

from models.content.content import Content
from models.ctr.addition import Addition
from models.ctr.integrations.integration import Integration


@keras.saving.register_keras_serializable(package="adlens")
class Vector(Integration):
    """Puts the embeddings beside the IDs: of the candidate and its user's behaviors in DIN, of the candidate
    in the MLP.

    Source: Sheng et al. 2024 (arXiv 2407.19467), section 6.1.3, "Vector".
    """

    def build(self, dims: Sequence[int]) -> None:
        self.built = True

    def item_width(self, dims: Sequence[int]) -> int:
        return sum(dims)

    def candidate_width(self, dims: Sequence[int]) -> int:
        return sum(dims)

    def call(self, contents: Sequence[Content]) -> Addition:
        targets = [content.target for content in contents]
        behaviors = [content.behaviors for content in contents]
        return Addition(target=targets, behaviors=behaviors, candidate=targets)
