"""The histogram of similarities."""

from collections.abc import Sequence
from typing import Any

import keras

from models.content.content import Content
from models.ctr.addition import Addition
from models.ctr.integrations.integration import Integration
from models.layers.sim_tier import SimTier


@keras.saving.register_keras_serializable(package="adlens")
class SimTiers(Integration):
    """Adds the histogram of the behaviors' similarities to the MLP's inputs, one a modality.

    Args:
        num_tiers: int > 0. See `SimTier`.
        log_counts: see `SimTier`.
    Source: Sheng et al. 2024 (arXiv 2407.19467), section 4.2.
    """

    def __init__(self, num_tiers: int = 20, log_counts: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_tiers = num_tiers
        self.log_counts = log_counts
        self.sim_tier = SimTier(num_tiers, log_counts, dtype=self.dtype_policy, name="sim_tier")

    def build(self, dims: Sequence[int]) -> None:
        self.sim_tier.build(None)
        self.built = True

    def candidate_width(self, dims: Sequence[int]) -> int:
        return self.num_tiers * len(dims)

    def call(self, contents: Sequence[Content]) -> Addition:
        return Addition(
            candidate=[self.sim_tier(content.similarity, content.has_similarity) for content in contents]
        )

    def get_config(self) -> dict:
        return super().get_config() | {"num_tiers": self.num_tiers, "log_counts": self.log_counts}
