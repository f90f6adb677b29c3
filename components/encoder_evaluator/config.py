"""What an encoder must reach to be pushed."""

from dataclasses import dataclass

from transforms.input_error import InputError


@dataclass(frozen=True)
class EncoderEvaluatorConfig:
    """What an encoder must reach to be pushed, and how it is measured.

    Attributes:
        min_acc: the least Acc@1.
        max_drop: how far below the last blessed encoder's Acc@1, on the same pairs, it may lie.
        max_random_cosine: the highest mean cosine of two different items; above it the encoder has collapsed
            and tells hardly anything from anything.
        batch_size: pairs that are encoded at once.
        examples: queries that are kept, with what they retrieve, to look at.
        seed: of the choice of these, and of the random pairs of items.
    """

    min_acc: float = 0.0
    max_drop: float = 0.01
    max_random_cosine: float = 0.9
    batch_size: int = 64
    examples: int = 24
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("min_acc", "max_drop"):
            self._check(name, 0 <= getattr(self, name) <= 1, "in [0, 1]")
        self._check("max_random_cosine", -1 <= self.max_random_cosine <= 1, "in [-1, 1]")
        self._check("batch_size", self.batch_size >= 1, "at least 1")
        for name in ("examples", "seed"):
            self._check(name, getattr(self, name) >= 0, "at least 0")

    def _check(self, name: str, holds: bool, wanted: str) -> None:
        if not holds:
            raise InputError(f"encoder_evaluator.{name} must be {wanted}, got {getattr(self, name)}")
