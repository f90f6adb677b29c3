"""Each behavior's similarity beside its IDs."""

from collections.abc import Sequence

import keras

from models.content.content import Content
from models.ctr.addition import Addition
from models.ctr.integrations.integration import Integration


@keras.saving.register_keras_serializable(package="adlens")
class SimScore(Integration):
    """Puts each behavior's similarity to the candidate beside the behavior's IDs in DIN.

    A similarity that means nothing is 0.

    Source: Sheng et al. 2024 (arXiv 2407.19467), section 6.1.3, "SimScore".
    """

    def build(self, dims: Sequence[int]) -> None:
        self.built = True

    def pair_width(self, dims: Sequence[int]) -> int:
        return len(dims)

    def call(self, contents: Sequence[Content]) -> Addition:
        return Addition(pairs=[content.similarity for content in contents])
