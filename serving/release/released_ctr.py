"""The model of clicks of a release."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ReleasedCtr:
    """The model of clicks of a release.

    Attributes:
        version: the pushed version, as the model server calls it.
        model: how content enters it, e.g. "simtier_make".
        num_tiers: into how many tiers of equal width over [-1, 1] it counts similarities.
    """

    version: str
    model: str
    num_tiers: int
