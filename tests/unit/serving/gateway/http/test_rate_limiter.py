"""How often a client may ask."""

import pytest

from serving.gateway.http.rate_limiter import RateLimiter, retry_after


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_empties_and_fills() -> None:
    clock = Clock()
    limiter = RateLimiter(rate=2, burst=3, clock=clock)
    # Three at once; then half a second for each.
    assert [limiter.take("a") for _ in range(5)] == [0, 0, 0, 0.5, 0.5]
    assert limiter.take("b") == 0
    clock.now += 0.25
    assert limiter.take("a") == pytest.approx(0.25)
    clock.now += 0.25
    assert limiter.take("a") == 0
    assert limiter.take("a") == pytest.approx(0.5)
    # However long nobody asks, no more than the burst is saved.
    clock.now += 1_000
    assert [limiter.take("a") for _ in range(4)] == [0, 0, 0, 0.5]


def test_a_steady_client_gets_the_rate() -> None:
    clock = Clock()
    limiter = RateLimiter(rate=10, clock=clock)
    allowed = 0
    for _ in range(1_000):
        allowed += limiter.take("a") == 0
        clock.now += 0.01
    # Ten seconds' worth, and the twenty of the burst.
    assert allowed == pytest.approx(120, abs=1)


def test_no_rate_limits_nobody() -> None:
    limiter = RateLimiter(rate=0)
    assert {limiter.take("a") for _ in range(1_000)} == {0}


def test_the_clients_that_asked_last_are_kept() -> None:
    limiter = RateLimiter(rate=0.001, burst=1, max_clients=2, clock=Clock())
    assert limiter.take("a") == 0 and limiter.take("b") == 0
    assert limiter.take("a") > 0
    # Of three the one that asked the longest ago is forgotten: b.
    assert limiter.take("c") == 0
    assert limiter.take("a") > 0 and limiter.take("b") == 0
    for number in range(10_000):
        limiter.take(str(number))
    assert len(limiter._buckets) == 2


def test_retry_after_is_in_whole_seconds() -> None:
    assert [retry_after(seconds) for seconds in (0.001, 1.0, 1.2, 60)] == ["1", "1", "2", "60"]
