"""How many impressions are inspected, and how much of each."""

from dataclasses import dataclass

from transforms.input_error import InputError


@dataclass(frozen=True)
class InspectorConfig:
    """How many impressions are inspected, and how much of each.

    Attributes:
        impressions: how many are picked.
        behaviors: different items of the user's behaviors that are shown of each; all of them are counted.
        max_scanned: test impressions, from the first on, among which they are picked.
        seed: of those picked at random.
    """

    impressions: int = 8
    behaviors: int = 10
    max_scanned: int = 20_000
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("impressions", 0), ("behaviors", 0), ("max_scanned", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise InputError(f"inspector.{name} must be at least {least}, got {getattr(self, name)}")
