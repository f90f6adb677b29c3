"""What all integrations have in common."""

from abc import abstractmethod
from collections.abc import Sequence

import keras

from models.content.content import Content
from models.ctr.addition import Addition


class Integration(keras.layers.Layer):
    """A way in which embeddings enter the click-through-rate model."""

    @abstractmethod
    def build(self, dims: Sequence[int]) -> None:
        """Makes all variables. `dims`: the size of each modality's embeddings."""

    def item_width(self, dims: Sequence[int]) -> int:
        """How wide `Addition.target` and `Addition.behaviors` are."""
        return 0

    def pair_width(self, dims: Sequence[int]) -> int:
        """How many `Addition.pairs` there are."""
        return 0

    def candidate_width(self, dims: Sequence[int]) -> int:
        """How wide `Addition.candidate` is."""
        return 0

    @abstractmethod
    def call(self, contents: Sequence[Content]) -> Addition:
        """What the modalities' embeddings add."""
