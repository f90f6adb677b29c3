"""How long to wait before another try."""

import random


def backoff_seconds(attempt: int, least: float, most: float) -> float:
    """Exponential backoff with jitter: the `attempt`-th wait, from 1 on.

    Half of it is random, so that what failed together is not tried again together.

    Args:
        attempt: how many tries have failed, at least 1.
        least: the first wait.
        most: no wait is longer.
    Returns:
        Seconds between a half and the whole of min(most, least x 2^(attempt - 1)).
    """
    whole = min(most, least * 2.0 ** min(attempt - 1, 64))
    return whole * (0.5 + 0.5 * random.random())
