import numpy as np
import pyarrow as pa
import pytest
from small_logs import HOUR, SCHEMAS, Row

from transforms.query_pairs import attribute

DAY = 24 * HOUR


def batch(log: str, rows: list[Row]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(rows, schema=pa.schema(SCHEMAS[log]))


def search(search_id: str, user: str, time: int) -> Row:
    return {"search_id": search_id, "user_id": user, "timestamp": time}


def purchase(user: str, time: int, search_id: str | None = None) -> Row:
    return {"purchase_id": "p", "user_id": user, "timestamp": time, "search_id": search_id}


# Rows 0 to 4, sorted by time and search_id.
SEARCHES = [
    search("a", "ann", 100),
    search("b", "bob", 150),
    search("c", "ann", 200),
    search("d", "ann", 200),
    search("e", "ann", 300),
]


@pytest.mark.parametrize(
    ("bought", "row"),
    [
        (purchase("ann", 150), 0),  # Bob's search is later, but his.
        (purchase("ann", 199), 0),
        (purchase("ann", 200), 3),  # Of two searches in one moment the last by id; the same moment counts.
        (purchase("ann", 299), 3),
        (purchase("ann", 10_000), 4),
        (purchase("ann", 99), -1),  # Nothing was searched yet.
        (purchase("bob", 149), -1),
        (purchase("cem", 300), -1),  # Never searched.
        (purchase("ann", 250, "a"), 0),  # The named search, though a later one is there.
        (purchase("ann", 250, "b"), -1),  # Another user's.
        (purchase("ann", 250, "e"), -1),  # Searched after the purchase.
        (purchase("ann", 250, "zzz"), -1),  # No such search; no other is taken in its place.
    ],
)
def test_the_search_of_a_purchase(bought: Row, row: int) -> None:
    assert attribute(batch("purchases", [bought]), batch("searches", SEARCHES), DAY).tolist() == [row]


def test_the_window_includes_its_last_moment() -> None:
    searches = batch("searches", [search("a", "ann", 0)])
    bought = [purchase("ann", time, name) for name in (None, "a") for time in (DAY, DAY + 1)]
    assert attribute(batch("purchases", bought), searches, DAY).tolist() == [0, -1, 0, -1]


def test_many_purchases_at_once_equal_one_by_one() -> None:
    generator = np.random.default_rng(5)
    bought = [
        purchase(str(generator.choice(["ann", "bob", "cem"])), int(time))
        for time in generator.integers(0, 400, 50)
    ]
    searches = batch("searches", SEARCHES)
    together = attribute(batch("purchases", bought), searches, 60)
    assert together.tolist() == [int(attribute(batch("purchases", [row]), searches, 60)[0]) for row in bought]
