"""Nothing at or after a moment changes what was known before it."""

import tempfile
from pathlib import Path

from brute_force import iso
from flawless_logs import ANCHOR_SEARCH, CATALOG, LOG_END, Logs, changed_from, flawless_logs
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from ingest_run import Ingested, run_ingest
from small_logs import BASE, MINUTE, one_file, write_logs

from transforms.ingest_config import IngestConfig

TRAIN_END = BASE + 10 * MINUTE
EVAL_END = BASE + 15 * MINUTE

FEW = settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
)

# An impression in each split that no mutation touches, so that no split is ever empty.
ANCHORS = [
    {"impression_id": f"anchor{time}", "user_id": "eve", "item_id": "i0", "timestamp": time, "clicked": False}
    for time in (BASE, TRAIN_END, EVAL_END)
]


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
