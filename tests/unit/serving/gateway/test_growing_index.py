"""An index that new items are added to until it is full."""

import numpy as np
import pytest

from serving.gateway.growing_index import GrowingIndex
from serving.retrieval.build_index import build_index
from serving.retrieval.config import IndexConfig

ROOM = 2


@pytest.fixture
def growing() -> GrowingIndex:
    """a and b, at 0 and 90 degrees, and room for two more."""
    vectors = np.array([[1, 0], [0, 1]], np.float32)
    return GrowingIndex(build_index(["a", "b"], vectors, "1", IndexConfig(max_added_items=ROOM)))


def add(growing: GrowingIndex, **vectors: list[float]) -> set[str]:
    return growing.add(list(vectors), np.array(list(vectors.values()), np.float32))


def scores(growing: GrowingIndex) -> dict[str, float]:
    ids, found = growing.index.search(np.array([[1, 0]], np.float32), 10)
    return dict(zip(ids[0], found[0].tolist(), strict=True))


def test_adds_as_long_as_there_is_room(growing: GrowingIndex) -> None:
    assert add(growing, c=[2, 0], d=[3, 0], e=[4, 0]) == {"e"}
    assert scores(growing) == {"a": 1, "b": 0, "c": 2, "d": 3}
    assert (growing.added, growing.not_added) == (2, 1)


def test_what_was_added_may_change_when_it_is_full(growing: GrowingIndex) -> None:
    assert add(growing, c=[2, 0], a=[9, 0]) == set()
    add(growing, c=[5, 0], a=[1, 0], b=[7, 0], d=[8, 0])
    # a is as it was built, but was another meanwhile.
    assert scores(growing) == {"a": 1, "b": 0, "c": 5}
    assert (growing.added, growing.not_added) == (2, 2)


def test_what_is_in_it_already_takes_no_room(growing: GrowingIndex) -> None:
    add(growing, a=[1, 0], b=[1e-7, 1])
    assert (growing.added, growing.not_added) == (0, 0)
    add(growing, b=[1e-3, 1])
    assert growing.added == 1 and scores(growing)["b"] == pytest.approx(1e-3)
