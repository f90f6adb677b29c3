"""Keeps a part that does not answer from taking every request's time."""

import math
import threading
import time

from serving.gateway.errors import PartUnavailable

# One slow answer is no outage.
_FAILURES = 3


class Circuit:
    """Lets no call through for a while after several in a row have failed; then one, to see whether it works again.

    Args:
        name: of the part, for the message.
        outage_seconds: how long no call is let through.
    """

    def __init__(self, name: str, outage_seconds: float) -> None:
        self.name = name
        self.outage_seconds = outage_seconds
        self._lock = threading.Lock()
        self._failures = 0
        self._failed_at = -math.inf
        self._open_until = 0.0

    def check(self) -> float:
        """To be called before the part is; gives what `failed` is told.

        Raises:
            PartUnavailable: it did not answer just now.
        """
        now = time.monotonic()
        if self._failures < _FAILURES:
            return now
        with self._lock:
            if now < self._open_until:
                raise PartUnavailable(f"{self.name} did not answer within the last {self.outage_seconds:g} s")
            # Whoever comes next waits for what this call finds.
            self._open_until = now + self.outage_seconds
        return now

    def worked(self) -> None:
        """The part has answered, be it with a refusal."""
        self._failures = 0

    def failed(self, begun: float) -> None:
        """It has not answered a call that began then.

        Calls that ran at the same time met the same trouble, and count as one.
        """
        with self._lock:
            if begun >= self._failed_at:
                self._failures += 1
                self._failed_at = time.monotonic()
                self._open_until = self._failed_at + self.outage_seconds
