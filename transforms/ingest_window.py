"""The part of the logs that a dated run reads."""

from dataclasses import dataclass
from datetime import date, timedelta

from transforms.input_error import InputError
from transforms.logs import CATALOG, IMPRESSIONS, SEARCHES, LogSpec
from transforms.period import Period

_MINUTE = 60_000_000
_DAY = 24 * 60 * _MINUTE
_FIRST = date(1970, 1, 1)


@dataclass(frozen=True)
class IngestWindow:
    """The part of the logs that the run of one day reads; all times in microseconds since 1970-01-01 UTC.

    Attributes:
        span: the day, as days since 1970-01-01.
        start: training begins here; None on the first dated run, which trains on everything before `train_end`.
        train_end: training ends strictly before it, and the next day begins.
        end: the next day ends strictly before it.
        pairs_start: query pairs are of purchases from here on; None: none are made.
    """

    span: int
    start: int | None
    train_end: int
    end: int
    pairs_start: int | None = None

    def __post_init__(self) -> None:
        for name in ("start", "train_end", "end"):
            if (getattr(self, name) or 0) % _MINUTE:
                raise InputError(f"{name} of the window of {self.day} must be a whole minute")
        if self.start is not None and self.start >= self.train_end:
            raise InputError(f"the window of {self.day} must start before it ends")
        if self.train_end >= self.end:
            raise InputError(f"the window of {self.day} must end after its training")
        if self.pairs_start is not None and self.pairs_start >= self.train_end:
            raise InputError(f"the query pairs of {self.day} must start before training ends")

    @classmethod
    def of_day(cls, day: date, first: bool, pair_days: int = 0) -> "IngestWindow":
        """The window of a whole day in UTC, with the next one to measure on.

        Args:
            day: the day that trains.
            first: whether it is the first, which trains on all that came before too.
            pair_days: how many days up to `day` query pairs are made of; 0: none are made.
        """
        span = (day - _FIRST).days
        pairs_start = (span + 1 - pair_days) * _DAY if pair_days else None
        return cls(span, None if first else span * _DAY, (span + 1) * _DAY, (span + 2) * _DAY, pairs_start)

    def period(self, spec: LogSpec, attribution: int) -> Period:
        """The rows of a log that the day's run reads.

        Args:
            spec: which log. Of the catalog it is the items made before the next day is over; of purchases those that
                are behaviors, and those that say what the searches of pairs led to.
            attribution: microseconds that a purchase may follow its search by.
        """
        if spec == CATALOG:
            return Period(None, self.end)
        if spec == IMPRESSIONS:
            return Period(self.start, self.end)
        pairs_start = self.end if self.pairs_start is None else self.pairs_start - attribution
        if spec == SEARCHES:
            return Period(pairs_start, self.end)
        return Period(None if self.start is None else min(self.start, pairs_start), self.end)

    @property
    def day(self) -> date:
        """The day that `span` numbers."""
        return _FIRST + timedelta(days=self.span)

    @property
    def next_day(self) -> date:
        """The day after."""
        return self.day + timedelta(days=1)
