"""Nothing at or after a moment changes what was known before it."""

import copy
import tempfile
from collections.abc import Callable
from pathlib import Path

from brute_force import iso
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from ingest_run import Ingested, run_ingest
from small_logs import BASE, MINUTE, SECOND, Row, one_file, picture, write_logs

from transforms.ingest_config import IngestConfig

TRAIN_END = BASE + 10 * MINUTE
EVAL_END = BASE + 15 * MINUTE
LOG_END = BASE + 20 * MINUTE

FEW = settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
)

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
# An impression in each split that no mutation touches, so that no split is ever empty.
ANCHORS = [
    {"impression_id": f"anchor{time}", "user_id": "eve", "item_id": "i0", "timestamp": time, "clicked": False}
    for time in (BASE, TRAIN_END, EVAL_END)
]

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


def ingest(logs: Logs, rows_per_file: int = 7) -> Ingested:
    config = IngestConfig(
        features=(),
        max_behaviors=4,
        train_end=iso(TRAIN_END),
        eval_end=iso(EVAL_END),
        attribution_hours=0.125,
        rows_per_file=rows_per_file,
    )
    files = {
        "catalog": one_file(CATALOG),
        "impressions": one_file([*ANCHORS, *logs["impressions"]]),
        "searches": one_file([ANCHOR_SEARCH, *logs["searches"]]),
        "purchases": one_file(logs["purchases"]),
    }
    with tempfile.TemporaryDirectory() as folder:
        return run_ingest(write_logs(Path(folder) / "logs", files), Path(folder) / "out", config, LOG_END)


@FEW
@given(logs=flawless_logs, data=st.data())
def test_no_event_changes_behaviors_up_to_its_time(logs: Logs, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(logs["impressions"]) - 1))
    target = logs["impressions"][index]
    changed = data.draw(changed_from(logs, target["timestamp"]))
    # The impression itself stays, but its own click is turned.
    changed["impressions"] = [
        *(row for row in changed["impressions"] if row["impression_id"] != target["impression_id"]),
        target | {"clicked": not target["clicked"]},
    ]
    before, after = behaviors(ingest(logs)), behaviors(ingest(changed))
    up_to = [row["impression_id"] for row in logs["impressions"] if row["timestamp"] < target["timestamp"]]
    for impression_id in [*up_to, target["impression_id"]]:
        assert before[impression_id] == after[impression_id]


@FEW
@given(logs=flawless_logs, data=st.data())
def test_nothing_from_the_end_of_training_on_changes_training(logs: Logs, data: st.DataObject) -> None:
    before, after = ingest(logs), ingest(data.draw(changed_from(logs, TRAIN_END)))
    assert before.split("train") == after.split("train")
    assert before.item_stats == after.item_stats
    # How many shards there are, and so the order of the pairs, depends on all impressions.
    assert sorted(before.pairs["train"], key=repr) == sorted(after.pairs["train"], key=repr)
    assert before.counts["boundaries"] == after.counts["boundaries"]


def test_a_later_purchase_does_not_change_the_negative_of_a_training_pair() -> None:
    # In the search i1 and i2 are clicked and i0 is bought; after training i1 is bought too. Training knows
    # only that i1 was clicked and not bought; for the pair of the eval days i1 is bought, so that i2 is left.
    search = {
        "search_id": "q",
        "user_id": "ann",
        "timestamp": TRAIN_END - 2 * MINUTE,
        "query_text": "red",
        "query_image": None,
        "clicked_item_ids": ["i1", "i2"],
    }
    purchases = [
        {
            "purchase_id": "p0",
            "user_id": "ann",
            "item_id": "i0",
            "timestamp": TRAIN_END - MINUTE,
            "search_id": "q",
        },
        {
            "purchase_id": "p1",
            "user_id": "ann",
            "item_id": "i1",
            "timestamp": TRAIN_END + MINUTE,
            "search_id": "q",
        },
    ]
    found = ingest({"impressions": [], "searches": [search], "purchases": purchases})
    assert [(pair["positive_item_id"], pair["negative_item_id"]) for pair in found.pairs["train"]] == [
        ("i0", "i1")
    ]
    assert [(pair["positive_item_id"], pair["negative_item_id"]) for pair in found.pairs["eval"]] == [
        ("i1", "i2")
    ]


def behaviors(found: Ingested) -> dict[str, tuple]:
    return {
        example["impression_id"][0]: tuple(
            tuple(example[f"behavior_{name}_id"]) for name in ("item", "category")
        )
        for split in ("train", "eval", "test")
        for example in found.split(split)
    }
