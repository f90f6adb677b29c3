"""How long new items take."""

import time

import pytest

from serving.gateway import arrivals as module
from serving.gateway.arrivals import Arrivals


@pytest.fixture
def seen() -> list[tuple[str, list[float]]]:
    return []


@pytest.fixture
def arrivals(seen: list, monkeypatch: pytest.MonkeyPatch) -> Arrivals:
    monkeypatch.setattr(time, "time", lambda: 100.0)
    return Arrivals(lambda stage, seconds: seen.append((stage, list(seconds))))


def test_an_item_has_arrived_with_the_last_of_its_content(arrivals: Arrivals, seen: list) -> None:
    arrivals.expect("a", 98.0, ["image", "text"])
    arrivals.arrived("searchable", "image", ["a", "unknown"])
    assert arrivals.waiting("a") == {"text"} and not seen
    arrivals.arrived("recallable", "image", ["a"])
    arrivals.arrived("recallable", "text", ["a"])
    arrivals.arrived("searchable", "text", ["a"])
    assert seen == [("recallable", [2.0]), ("searchable", [2.0])]
    assert arrivals.waiting("a") == set()
    # Seen again it is not counted again.
    arrivals.arrived("searchable", "text", ["a"])
    assert len(seen) == 2
    assert arrivals.status()["searchable"]["p50_seconds"] == 2.0


def test_a_later_content_is_another_arrival(arrivals: Arrivals, seen: list) -> None:
    arrivals.expect("a", 90.0, ["image"])
    arrivals.expect("a", 99.0, ["image"])
    arrivals.expect("b", 99.0, ["image"])
    arrivals.forget("b")
    arrivals.arrived("searchable", "image", ["a", "b"])
    assert seen == [("searchable", [1.0])]


def test_forgets_the_oldest_where_too_many_never_come(
    arrivals: Arrivals, seen: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_WAITING", 2)
    for item_id in ("a", "b", "c"):
        arrivals.expect(item_id, 99.0, ["image"])
    arrivals.arrived("searchable", "image", ["a", "b", "c"])
    assert seen == [("searchable", [1.0, 1.0])]
