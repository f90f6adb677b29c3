"""Hypothesis strategies of small logs that have everything a log can have wrong."""

import itertools
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st
from odd_images import turned
from small_logs import BASE, MINUTE, SECOND, Files, Row, picture

USER_FEATURES = {"gender": "id", "hour": "number"}
ITEM_FEATURES = {"brand": "id", "price": "number"}
EXTRA = {
    "catalog": {"brand": pa.string(), "price": pa.float64()},
    "impressions": {"gender": pa.string(), "hour": pa.float64()},
}

LOG_START = BASE
LOG_END = BASE + 20 * MINUTE

# Few moments, so that many are equal; the ends of the log belong to it.
times = st.integers(0, 60).map(lambda step: BASE + step * 20 * SECOND)
users = st.sampled_from(["ann", "bob", "dää"])
items = st.sampled_from(["i0", "i1", "i2", "i3"])
numbers = st.sampled_from([None, 0.5, 1.0, -2.25, 3.5])

BAD_TIMES = [None, LOG_START - 1, LOG_END + 1]
BAD_NUMBERS = [float("nan"), float("inf"), float("-inf")]
BAD_PICTURES = [b"no picture", b"", picture(3)[:40]]
# One is to be turned.
GOOD_PICTURES = [picture(10), picture(200, image_format="JPEG"), turned("PNG", 6)]
NO_KEY = [None, ""]
NO_ITEM = [None, "", "gone"]


def rows_of(fields: dict[str, st.SearchStrategy], flaws: dict[str, list[Any]]) -> st.SearchStrategy[Row]:
    """Rows of which one in four has a flaw: a field with a value that it should not have."""
    spoilt = st.sampled_from([(name, value) for name, values in flaws.items() for value in values])
    flaw = st.one_of(st.none(), st.none(), st.none(), spoilt)
    return st.tuples(st.fixed_dictionaries(fields), flaw).map(
        lambda drawn: drawn[0] if drawn[1] is None else drawn[0] | {drawn[1][0]: drawn[1][1]}
    )


def ids(prefix: str, most: int) -> st.SearchStrategy[str]:
    """Ids of which some come twice."""
    return st.integers(1, most).map(lambda number: f"{prefix}{number}")


catalog_fields = {
    "category_id": st.sampled_from(["c0", "c1", None]),
    "shop_id": st.sampled_from(["s0", "s1", None]),
    "title": st.sampled_from(["a thing", None]),
    "image": st.sampled_from([None, *GOOD_PICTURES]),
    "created_at": st.one_of(st.none(), times),
    "brand": st.sampled_from(["b0", None]),
    "price": numbers,
}
catalog_row = rows_of(
    {"item_id": st.sampled_from(["i0", "i1", "i2", "i3", "ü5", "i6"]), **catalog_fields},
    {"item_id": NO_KEY, "image": BAD_PICTURES, "created_at": BAD_TIMES[1:], "price": BAD_NUMBERS},
)
# Every catalog knows four items well.
known_rows = st.tuples(*[st.fixed_dictionaries(catalog_fields)] * 4).map(
    lambda rows: [{"item_id": f"i{number}", **row} for number, row in enumerate(rows)]
)
impression = rows_of(
    {
        "impression_id": ids("m", 200),
        "user_id": users,
        "item_id": st.one_of(items, items, st.sampled_from(["ü5", "i6"])),
        "timestamp": times,
        "clicked": st.booleans(),
        "gender": st.sampled_from(["f", "m", None]),
        "hour": numbers,
    },
    {
        "impression_id": NO_KEY,
        "user_id": NO_KEY,
        "item_id": NO_ITEM,
        "timestamp": BAD_TIMES,
        "clicked": [None],
        "hour": BAD_NUMBERS,
    },
)
search = rows_of(
    {
        "search_id": ids("q", 60),
        "user_id": users,
        "timestamp": times,
        "query_text": st.sampled_from(["red", "blue", "green", "red shoe"]),
        "query_image": st.sampled_from([None, None, *GOOD_PICTURES]),
        "clicked_item_ids": st.lists(st.one_of(items, items, st.sampled_from([None, "gone"])), max_size=4),
    },
    {
        "search_id": NO_KEY,
        "user_id": NO_KEY,
        "timestamp": BAD_TIMES,
        # No flaw where there is a picture.
        "query_text": [None, "", None],
        "query_image": BAD_PICTURES,
        "clicked_item_ids": [None],
    },
)
purchase = rows_of(
    {
        "purchase_id": ids("p", 100),
        "user_id": users,
        "item_id": items,
        "timestamp": times,
        "search_id": st.one_of(st.none(), ids("q", 60)),
    },
    {
        "purchase_id": NO_KEY,
        "user_id": NO_KEY,
        "item_id": NO_ITEM,
        "timestamp": BAD_TIMES,
        "search_id": ["none"],
    },
)

ROWS = {
    "catalog": st.tuples(
        st.lists(catalog_row, max_size=3), known_rows, st.lists(catalog_row, max_size=6)
    ).map(lambda parts: [*parts[0], *parts[1], *parts[2]]),
    "impressions": st.lists(impression, min_size=25, max_size=60),
    "searches": st.lists(search, min_size=15, max_size=30),
    "purchases": st.lists(purchase, min_size=20, max_size=40),
}


@st.composite
def files_of(draw: st.DrawFn, rows: st.SearchStrategy[list[Row]]) -> Files:
    """Cuts rows into up to three files, and each of these into row groups; rows come in no order of time."""
    all_rows = draw(rows)
    cuts = sorted(draw(st.lists(st.integers(0, len(all_rows)), max_size=2)))
    size = draw(st.integers(3, 20))
    bounds = [0, *cuts, len(all_rows)]
    return [
        [all_rows[start : min(start + size, end)] for start in range(begin, end, size)]
        for begin, end in itertools.pairwise(bounds)
    ]


def random_logs() -> st.SearchStrategy[dict[str, Files]]:
    """Four logs, each as files of row groups of rows."""
    return st.fixed_dictionaries({log: files_of(rows) for log, rows in ROWS.items()})
