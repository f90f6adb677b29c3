"""Embeddings in the place of the run's own."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Vectors:
    """Embeddings in the place of the run's own.

    Attributes:
        title: for people.
        name: two with the same name hold the same vectors.
        tables: float32 `[rows, dim]` by modality, the rows those of the run's own.
    """

    title: str
    name: str
    tables: Mapping[str, np.ndarray]
