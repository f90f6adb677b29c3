"""The time that a request has left."""

import time

from serving.gateway.errors import TimedOut


class Deadline:
    """The end of a request's time, which every call on its way is given what is left of.

    Args:
        seconds: from now on.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def limit(self, most: float) -> float:
        """Seconds that a call may take: `most`, or what is left if that is less.

        Raises:
            TimedOut: nothing is left.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimedOut(f"the request took longer than {self.seconds:g} s")
        return min(most, left)
