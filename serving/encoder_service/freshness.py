"""How long items take from being introduced to being usable."""

import threading
from collections import deque
from collections.abc import Sequence

import numpy as np


class Freshness:
    """The latest items' seconds from being introduced to being usable, for exact quantiles.

    Args:
        window: how many items are kept.
    """

    def __init__(self, window: int = 10_000) -> None:
        self.window = window
        self._lock = threading.Lock()
        self._seconds: deque[float] = deque(maxlen=window)
        self._count = 0

    def add(self, seconds: Sequence[float]) -> None:
        """Adds items."""
        with self._lock:
            self._seconds.extend(seconds)
            self._count += len(seconds)

    def status(self) -> dict[str, float | int | None]:
        """`items` of all times; `p50_seconds`, `p99_seconds` and `max_seconds` of those kept, None without any."""
        with self._lock:
            kept, count = list(self._seconds), self._count
        quantiles = np.quantile(kept, [0.5, 0.99, 1.0]).tolist() if kept else [None] * 3
        return {
            "items": count,
            **dict(zip(("p50_seconds", "p99_seconds", "max_seconds"), quantiles, strict=True)),
        }
