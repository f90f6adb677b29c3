"""How far a training of clicks has come."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class FitState:
    """How far a training of clicks has come, beside the values of its variables.

    Attributes:
        epoch: the number of the present pass over the data.
        batch: batches of this pass that are behind.
        loss_total: the sum of the pass's losses, by example.
        loss_count: the pass's examples.
        curve: points of the training curve.
        notes: what the trainer noted at the ends of passes, plain values.
    """

    epoch: int = 0
    batch: int = 0
    loss_total: float = 0.0
    loss_count: float = 0.0
    curve: list[dict[str, float]] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)
