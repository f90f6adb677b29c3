"""From values to places on a plot."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """A linear or logarithmic axis.

    Attributes:
        low, high: the values at its two ends; high > low, and low > 0 where it is logarithmic.
        start, end: the places of these ends, in the plot's units.
        log: whether equal ratios, rather than equal differences, take equal room.
        whole: whether ticks between whole numbers make no sense.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False
    whole: bool = False

    def __call__(self, value: float) -> float:
        """The place of a value."""
        low, high = self.low, self.high
        if self.log:
            value, low, high = math.log10(value), math.log10(low), math.log10(high)
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """About four round values between the ends; on a logarithmic axis the powers of ten."""
        if self.log:
            return [10.0**power for power in _whole(math.log10(self.low), math.log10(self.high))]
        step = _round_step((self.high - self.low) / 4)
        if self.whole:
            step = math.ceil(step)
        return [index * step for index in _whole(self.low / step, self.high / step)]


def nice_bounds(low: float, high: float) -> tuple[float, float]:
    """The ends widened to round values; where both are equal, a little room on either side."""
    if high <= low:
        room = abs(low) / 2 or 0.5
        low, high = low - room, high + room
    step = _round_step((high - low) / 4)
    return math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step


def _whole(low: float, high: float) -> range:
    return range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)


def _round_step(size: float) -> float:
    power = 10.0 ** math.floor(math.log10(size))
    return next((step * power for step in (1, 2, 2.5, 5) if size <= step * power * 1.0001), 10 * power)
