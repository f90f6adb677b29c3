"""How often a client may ask."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable


class RateLimiter:
    """A bucket of tokens for each client, which fills with time and of which each request takes one.

    The clients that asked last are kept. A client that was forgotten starts with a full bucket, which it would
    have by now anyway unless more than `max_clients` ask at the same time.

    Args:
        rate: requests a second; 0: any number.
        burst: requests at once; twice the rate where absent, at least one.
        max_clients: that are kept.
        clock: seconds.
    """

    def __init__(
        self,
        rate: float,
        burst: float | None = None,
        max_clients: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.rate = rate
        self.burst = max(1.0, 2 * rate if burst is None else burst)
        self.max_clients = max_clients
        self.clock = clock
        # Of each client, the least recent first: what its bucket holds, and since when.
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> float:
        """Takes a token for a request. Returns 0, or the seconds after which there will be one."""
        if not self.rate:
            return 0.0
        now = self.clock()
        held, since = self._buckets.pop(client, (self.burst, now))
        held = min(self.burst, held + (now - since) * self.rate)
        is_allowed = held >= 1
        self._buckets[client] = (held - is_allowed, now)
        if len(self._buckets) > self.max_clients:
            self._buckets.popitem(last=False)
        return 0.0 if is_allowed else (1 - held) / self.rate


def retry_after(seconds: float) -> str:
    """The header's value: whole seconds."""
    return str(max(1, math.ceil(seconds)))
