"""How the logs are read, split and joined."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from transforms.feature import Feature
from transforms.input_error import InputError

DEFAULT_FEATURES = tuple(Feature(name) for name in ("gender", "age_group", "city", "placement"))


@dataclass(frozen=True)
class IngestConfig:
    """How the logs are read, split and joined.

    Attributes:
        features: columns beyond the contract's that become features.
        max_behaviors: the most behaviors kept for an impression, the latest ones.
        train_fraction: share of the impressions, by time, that trains.
        eval_fraction: share of the impressions after those that evaluates; the rest tests.
        train_end: ISO time at which training ends; replaces train_fraction.
        eval_end: ISO time at which evaluation ends; replaces eval_fraction.
        attribution_hours: a purchase belongs to a search of the same user at most this long before it.
        log_start: ISO time; earlier rows are rejected.
        log_end: ISO time; later rows are rejected. Empty: the moment the run starts.
        max_reject_fraction: the run stops when more of a log's rows than this are rejected.
        max_image_bytes: larger images are rejected unread.
        max_image_pixels: images that would decode to more are rejected undecoded.
        rows_per_file: impressions in one file of examples, roughly; also sizes the shards of users.
    """

    features: tuple[Feature, ...] = DEFAULT_FEATURES
    max_behaviors: int = 50
    train_fraction: float = 0.8
    eval_fraction: float = 0.1
    train_end: str = ""
    eval_end: str = ""
    attribution_hours: float = 24.0
    log_start: str = "1990-01-01T00:00:00+00:00"
    log_end: str = ""
    max_reject_fraction: float = 0.05
    max_image_bytes: int = 20_000_000
    max_image_pixels: int = 50_000_000
    rows_per_file: int = 50_000

    def __post_init__(self) -> None:
        for name in ("max_behaviors", "max_image_bytes", "max_image_pixels", "rows_per_file"):
            if getattr(self, name) < 1:
                raise InputError(f"ingest.{name} must be at least 1, got {getattr(self, name)}")
        for name in ("train_fraction", "eval_fraction"):
            if not 0 < getattr(self, name) < 1:
                raise InputError(f"ingest.{name} must lie between 0 and 1, got {getattr(self, name)}")
        if self.train_fraction + self.eval_fraction >= 1:
            raise InputError("ingest.train_fraction and ingest.eval_fraction must leave something to test on")
        if not 0 <= self.max_reject_fraction <= 1:
            raise InputError(f"ingest.max_reject_fraction must lie in [0, 1], got {self.max_reject_fraction}")
        if not 0 < self.attribution_hours < float("inf"):
            raise InputError(
                f"ingest.attribution_hours must be positive and finite, got {self.attribution_hours}"
            )
        if bool(self.train_end) != bool(self.eval_end):
            raise InputError("ingest.train_end and ingest.eval_end are given together or not at all")
        for name in ("train_end", "eval_end", "log_start", "log_end"):
            if getattr(self, name):
                parse_time(f"ingest.{name}", getattr(self, name))
        if self.train_end and self.microseconds("train_end") >= self.microseconds("eval_end"):
            raise InputError("ingest.train_end must come before ingest.eval_end")
        if self.log_end and self.microseconds("log_start") >= self.microseconds("log_end"):
            raise InputError("ingest.log_start must come before ingest.log_end")
        names = [feature.name for feature in self.features]
        if len(set(names)) != len(names):
            raise InputError(f"ingest.features names a column twice: {', '.join(names)}")

    def microseconds(self, name: str) -> int:
        """The named time as microseconds since 1970-01-01 UTC."""
        return parse_time(f"ingest.{name}", getattr(self, name))

    @property
    def attribution_microseconds(self) -> int:
        """The attribution window in the logs' unit of time."""
        return int(self.attribution_hours * 3_600_000_000)

    def side(self, side: str) -> tuple[Feature, ...]:
        """The features of one side, "user" or "item"."""
        return tuple(feature for feature in self.features if feature.side == side)


def parse_time(name: str, text: str) -> int:
    """Reads an ISO time as microseconds since 1970-01-01 UTC; a time without a zone is UTC."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"{name} must be an ISO time such as 2024-01-31T00:00:00+00:00, got {text!r}"
        ) from None
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return (time - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)
