"""How a release is published."""

import math
from dataclasses import dataclass

from transforms.input_error import check_setting


@dataclass(frozen=True)
class PublishConfig:
    """How a release is published.

    Attributes:
        wait_seconds: how long the switch to a new encoder waits, at most, until it has encoded the items that
            came through the queue; those that are late have no vector until it has.
        poll_seconds: between two looks whether it has, and two tries of a queue that is full.
        watch_seconds: between two looks for a new release.
        min_backoff_seconds: before the first new try after a store has failed; doubled for each further one.
        max_backoff_seconds: before any new try, at most.
    """

    wait_seconds: float = 300.0
    poll_seconds: float = 0.25
    watch_seconds: float = 2.0
    min_backoff_seconds: float = 0.5
    max_backoff_seconds: float = 15.0

    def __post_init__(self) -> None:
        for name in ("poll_seconds", "watch_seconds", "min_backoff_seconds", "max_backoff_seconds"):
            value = getattr(self, name)
            check_setting("publish", name, value, math.isfinite(value) and value > 0, "positive and finite")
        holds = math.isfinite(self.wait_seconds) and self.wait_seconds >= 0
        check_setting("publish", "wait_seconds", self.wait_seconds, holds, "at least 0 and finite")
        least = self.min_backoff_seconds
        holds = self.max_backoff_seconds >= least
        check_setting("publish", "max_backoff_seconds", self.max_backoff_seconds, holds, f"at least {least}")
