"""Hypothesis strategies of small logs without a flaw, and of what may change in them from a moment on."""

import copy
from collections.abc import Callable

from hypothesis import strategies as st
from small_logs import BASE, MINUTE, SECOND, Row, picture

LOG_END = BASE + 20 * MINUTE

USERS = ["ann", "bob", "cem"]
ITEMS = [f"i{number}" for number in range(5)]
CATALOG = [
    {
        "item_id": item,
        "category_id": f"c{item}",
        "shop_id": "s",
        "title": item,
        "image": None,
        "created_at": BASE,
    }
    for item in ITEMS
]
# No log may be empty.
ANCHOR_SEARCH = {
    "search_id": "anchor",
    "user_id": "eve",
    "timestamp": BASE,
    "query_text": "a",
    "clicked_item_ids": [],
}

times = st.integers(0, 59).map(lambda step: BASE + step * 20 * SECOND)
users, items = st.sampled_from(USERS), st.sampled_from(ITEMS)
searched = st.fixed_dictionaries(
    {
        "user_id": users,
        "timestamp": times,
        "query_text": st.sampled_from(["red", "blue", "green", "grey", None]),
        "query_image": st.just(picture(10)),
        "clicked_item_ids": st.lists(items, min_size=1, max_size=4),
    }
)
shown = st.fixed_dictionaries(
    {"user_id": users, "item_id": items, "timestamp": times, "clicked": st.booleans()}
)
bought = st.fixed_dictionaries(
    {"user_id": users, "item_id": items, "timestamp": times, "search_id": st.none()}
)

Logs = dict[str, list[Row]]


def numbered(name: str, prefix: str) -> Callable[[list[Row]], list[Row]]:
    """Gives each row an id of its own."""
    return lambda rows: [{name: f"{prefix}{number}", **row} for number, row in enumerate(rows)]


flawless_logs = st.fixed_dictionaries(
    {
        "impressions": st.lists(shown, min_size=30, max_size=50).map(numbered("impression_id", "m")),
        "searches": st.lists(searched, min_size=12, max_size=25).map(numbered("search_id", "q")),
        "purchases": st.lists(bought, min_size=20, max_size=40).map(numbered("purchase_id", "p")),
    }
)


@st.composite
def changed_from(draw: st.DrawFn, logs: Logs, moment: int) -> Logs:
    """The logs with other events from a moment on: deleted, moved later, of other users, items, clicks."""
    changed: Logs = {}
    for log, rows in logs.items():
        changed[log] = [row for row in rows if row["timestamp"] < moment]
        for row in rows:
            if row["timestamp"] >= moment and (draw(st.booleans()) or draw(st.booleans())):
                row = copy.deepcopy(row)
                row["user_id"] = draw(users)
                row["timestamp"] = draw(st.sampled_from([moment, row["timestamp"], LOG_END - SECOND]))
                for name, values in (("item_id", items), ("clicked", st.booleans())):
                    if name in row:
                        row[name] = draw(values)
                changed[log].append(row)
    changed["purchases"] += [
        {"purchase_id": f"new{number}", "user_id": user, "item_id": draw(items), "timestamp": moment}
        for number, user in enumerate(USERS * 2)
    ]
    return changed
