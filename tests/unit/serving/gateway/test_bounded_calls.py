"""Calls of a store that hangs or fails."""

import threading
import time
from collections.abc import Iterator

import pytest

from serving.embedding_index.errors import CorruptEntry
from serving.gateway.bounded_calls import BoundedCalls
from serving.gateway.deadline import Deadline
from serving.gateway.errors import PartUnavailable


@pytest.fixture
def calls() -> Iterator[BoundedCalls]:
    made = BoundedCalls("the store", (OSError,), threads=2, timeout_seconds=0.05, outage_seconds=0.1)
    yield made
    made.close()


def fail() -> None:
    raise OSError("gone")


def test_gives_what_the_call_gives(calls: BoundedCalls) -> None:
    assert calls.run(lambda: 3) == 3
    with pytest.raises(PartUnavailable, match="the store: gone"):
        calls.run(fail)
    with pytest.raises(ZeroDivisionError):
        calls.run(lambda: 1 / 0)


def test_who_waits_gives_up(calls: BoundedCalls) -> None:
    released = threading.Event()
    try:
        with pytest.raises(PartUnavailable, match="the store: no answer within 0.05 s"):
            calls.run(released.wait)
        with pytest.raises(PartUnavailable, match="no answer within 0.0[12]"):
            calls.run(released.wait, Deadline(0.02))
    finally:
        released.set()


def test_is_left_alone_after_three_failures_and_then_tried(calls: BoundedCalls) -> None:
    for _ in range(3):
        with pytest.raises(PartUnavailable, match="gone"):
            calls.run(fail)
    with pytest.raises(PartUnavailable, match="did not answer within the last 0.1 s"):
        calls.start(lambda: 3)
    time.sleep(0.15)
    assert calls.run(lambda: 3) == 3


def test_an_error_of_the_caller_and_a_broken_entry_are_no_outage(calls: BoundedCalls) -> None:
    def broken() -> None:
        raise CorruptEntry("item 'a'")

    for _ in range(4):
        with pytest.raises(PartUnavailable, match="the store: item 'a'"):
            calls.run(broken)
        with pytest.raises(ValueError, match="nonsense"):
            calls.run(lambda: int("nonsense"))
    assert calls.run(lambda: 3) == 3
