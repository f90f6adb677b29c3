"""How a release is published."""

import math
from dataclasses import dataclass

from transforms.input_error import check_setting

_WAITS = (
    "poll_seconds",
    "heal_seconds",
    "max_heal_seconds",
    "watch_seconds",
    "min_backoff_seconds",
    "max_backoff_seconds",
)


@dataclass(frozen=True)
class PublishConfig:
    """How a release is published.

    Attributes:
        wait_seconds: how long the switch to a new encoder waits, at most, until it has encoded the items that
            came through the queue; those that are late come after it.
        poll_seconds: between two looks whether it has, or whether there is room in the queue.
        max_waiting: items in the queue from which on none is put for an encoder, so that shops find room.
        heal_seconds: between two rounds for late items while there is progress; doubled where there is none.
        max_heal_seconds: between two rounds, at most.
        watch_seconds: between two looks for a new release.
        min_backoff_seconds: before the first new try after a store has failed; doubled for each further one.
        max_backoff_seconds: before any new try, at most.
    """

    wait_seconds: float = 300.0
    poll_seconds: float = 0.25
    max_waiting: int = 500
    heal_seconds: float = 5.0
    max_heal_seconds: float = 300.0
    watch_seconds: float = 2.0
    min_backoff_seconds: float = 0.5
    max_backoff_seconds: float = 15.0

    def __post_init__(self) -> None:
        for name in _WAITS:
            value = getattr(self, name)
            check_setting("publish", name, value, math.isfinite(value) and value > 0, "positive and finite")
        holds = math.isfinite(self.wait_seconds) and self.wait_seconds >= 0
        check_setting("publish", "wait_seconds", self.wait_seconds, holds, "at least 0 and finite")
        check_setting("publish", "max_waiting", self.max_waiting, self.max_waiting >= 1, "at least 1")
        for what in ("backoff", "heal"):
            least = self.min_backoff_seconds if what == "backoff" else self.heal_seconds
            name = f"max_{what}_seconds"
            most = getattr(self, name)
            check_setting("publish", name, most, most >= least, f"at least {least}")
