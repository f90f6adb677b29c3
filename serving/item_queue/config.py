"""Bounds of a queue."""

from dataclasses import dataclass

from transforms.input_error import InputError


@dataclass(frozen=True)
class QueueConfig:
    """Bounds of a queue.

    Attributes:
        max_items: items that are not settled yet; a put beyond them is refused.
        max_bytes: of their content; a put beyond them is refused.
        max_claim_bytes: a claim takes no further item once the content of those it has is larger.
        max_dead: dead letters that are kept, the latest.
    """

    max_items: int = 100_000
    max_bytes: int = 4 << 30
    max_claim_bytes: int = 32 << 20
    max_dead: int = 10_000

    def __post_init__(self) -> None:
        for name in ("max_items", "max_bytes", "max_claim_bytes", "max_dead"):
            if getattr(self, name) < 1:
                raise InputError(f"queue.{name} must be at least 1, got {getattr(self, name)}")
