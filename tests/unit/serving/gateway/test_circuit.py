"""Leaving a part alone that does not answer, and the end of a request's time."""

import time

import pytest

from serving.gateway.circuit import Circuit
from serving.gateway.deadline import Deadline
from serving.gateway.errors import PartUnavailable, TimedOut


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    return clock


def is_let_through(circuit: Circuit) -> bool:
    try:
        circuit.check()
    except PartUnavailable as error:
        assert str(error) == "the store did not answer within the last 2 s"
        return False
    return True


def test_lets_one_call_through_once_the_time_is_over(now: list[float]) -> None:
    circuit = Circuit("the store", 2.0)
    circuit.failed(circuit.check())
    circuit.failed(circuit.check())
    assert is_let_through(circuit)
    circuit.failed(circuit.check())
    assert not is_let_through(circuit)
    now[0] += 1.9
    assert not is_let_through(circuit)
    now[0] += 0.2
    # The first one goes to see; the others wait for another two seconds, or for what it finds.
    assert [is_let_through(circuit) for _ in range(3)] == [True, False, False]
    circuit.worked()
    assert is_let_through(circuit)


def test_failures_between_answers_are_no_outage(now: list[float]) -> None:
    circuit = Circuit("the store", 2.0)
    for _ in range(5):
        circuit.failed(circuit.check())
        circuit.failed(circuit.check())
        circuit.worked()
    assert is_let_through(circuit)


def test_calls_that_fail_together_are_one_failure(now: list[float]) -> None:
    circuit = Circuit("the store", 2.0)
    for begun in [circuit.check() for _ in range(8)]:
        now[0] += 0.01
        circuit.failed(begun)
    assert is_let_through(circuit)
    for _ in range(2):
        now[0] += 0.01
        circuit.failed(circuit.check())
    assert not is_let_through(circuit)


def test_a_deadline_gives_what_is_left(now: list[float]) -> None:
    deadline = Deadline(2.0)
    assert deadline.limit(0.5) == 0.5
    now[0] += 1.75
    assert deadline.limit(0.5) == 0.25
    now[0] += 0.25
    with pytest.raises(TimedOut, match="longer than 2 s"):
        deadline.limit(0.5)
