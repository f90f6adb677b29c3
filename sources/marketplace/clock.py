"""The simulated days: times are int64 microseconds since 1970, UTC."""

import numpy as np

MINUTE = 60 * 1_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
START = 1_704_067_200 * 1_000_000  # 2024-01-01T00:00:00Z

# How busy the marketplace is, hour by hour: a quiet night, a lunch break, a busy evening.
_BUSY_HOURS = np.array(
    [5, 3, 2, 1, 1, 2, 4, 7, 9, 10, 11, 12, 14, 12, 11, 11, 11, 12, 14, 17, 20, 19, 15, 9], float
)


def spread(total: int, parts: int) -> np.ndarray:
    """Divides `total` into `parts` whole numbers that differ by one at most."""
    return np.diff(np.arange(parts + 1) * total // parts)


def times_of_day(rng: np.random.Generator, shift: np.ndarray) -> np.ndarray:
    """Draws times of a day, int64 `[n]` in [0, DAY), from the daily rhythm moved by `shift` hours `[n]`."""
    hour = rng.choice(24, len(shift), p=_BUSY_HOURS / _BUSY_HOURS.sum())
    hours = (hour + rng.random(len(shift)) + shift) % 24
    return np.minimum((hours * HOUR).astype(np.int64), DAY - 1)
