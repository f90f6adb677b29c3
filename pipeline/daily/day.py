"""One day of a run by days."""

import datetime
from dataclasses import dataclass

_EPOCH = datetime.date(1970, 1, 1)


@dataclass(frozen=True)
class Day:
    """One day of a run by days: it is trained on, and what comes of it is measured on the day after it.

    Days are those of UTC, as all times of the logs are.

    Attributes:
        date: the day.
        first: whether the run begins from nothing, with all that the logs have up to the day's end.
        trains_encoders: whether encoders, and MAKE of their embeddings, are trained; else the last blessed ones
            are taken.
    """

    date: datetime.date
    first: bool
    trains_encoders: bool

    @property
    def span(self) -> int:
        """Days since 1970-01-01; the artifacts of this day bear it."""
        return (self.date - _EPOCH).days

    @property
    def measured_on(self) -> datetime.date:
        """The day after, on which the day's models are measured before any is trained on it."""
        return self.date + datetime.timedelta(days=1)
