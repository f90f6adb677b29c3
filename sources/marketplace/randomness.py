"""Random streams that follow from the seed and the part of the simulation alone."""

import numpy as np

_PARTS = ("catalog", "audience", "pictures", "titles", "impressions", "searches", "photos")


def make_rng(seed: int, part: str, number: int = 0) -> np.random.Generator:
    """The generator of one part (and one day or chunk of it), independent of every other one."""
    return np.random.default_rng([seed, _PARTS.index(part), number])
