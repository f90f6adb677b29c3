"""What a click model must reach to be pushed."""

from dataclasses import dataclass

from transforms.input_error import InputError

GATES = ("gauc", "auc")


@dataclass(frozen=True)
class EvaluatorConfig:
    """What a click model must reach to be pushed.

    Attributes:
        gate: the metric that decides, "gauc" or "auc". AUC is for logs whose users have too few impressions
            each for a GAUC.
        min_value: the least value of it.
        max_drop: how far below the value of the ID model, or of the last blessed model, it may lie.
    """

    gate: str = "gauc"
    min_value: float = 0.5
    max_drop: float = 0.0005

    def __post_init__(self) -> None:
        if self.gate not in GATES:
            raise InputError(f"evaluator.gate must be {' or '.join(GATES)}, got {self.gate!r}")
        for name in ("min_value", "max_drop"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"evaluator.{name} must lie in [0, 1], got {getattr(self, name)}")
