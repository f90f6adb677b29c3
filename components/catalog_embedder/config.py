"""How the catalog is embedded."""

from dataclasses import dataclass

from transforms.input_error import InputError


@dataclass(frozen=True)
class EmbedderConfig:
    """How the catalog is embedded.

    Attributes:
        batch_size: items that an encoder gets at once.
        rows_per_file: items in one file of embeddings, roughly; also sizes the shards of items.
        max_reject_fraction: the run stops when an encoder cannot read more than this share of the items
            that have a picture (or a title).
    """

    batch_size: int = 256
    rows_per_file: int = 50_000
    max_reject_fraction: float = 0.05

    def __post_init__(self) -> None:
        for name in ("batch_size", "rows_per_file"):
            if getattr(self, name) < 1:
                raise InputError(f"embedder.{name} must be at least 1, got {getattr(self, name)}")
        if not 0 <= self.max_reject_fraction <= 1:
            raise InputError(
                f"embedder.max_reject_fraction must lie in [0, 1], got {self.max_reject_fraction}"
            )
