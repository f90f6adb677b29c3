"""LogIngest day by day gives for each day what all of the logs up to it give."""

import random
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import brute_force
import brute_force_days
from brute_force_days import Days
from flawless_logs import ANCHOR_SEARCH, CATALOG, ITEMS, USERS, changed_from, flawless_logs
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st
from ingest_checks import by_purchase, shown, stored
from ingest_run import Ingested, run_ingest
from random_logs import EXTRA, ITEM_FEATURES, LOG_END, LOG_START, USER_FEATURES, random_logs
from small_logs import BASE, MINUTE, SECOND, Files, one_file, write_logs

from transforms.feature import Feature
from transforms.ingest_config import IngestConfig
from transforms.ingest_window import IngestWindow

FEW = settings(
    max_examples=2,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
ATTRIBUTION = 450 * SECOND  # 0.125 hours
SPLITS = ("train", "eval", "test")

# Days of a few minutes. The first trains on all that came before it; the second makes no pairs; those of the third
# go back into the first.
WINDOWS = (
    IngestWindow(1, None, BASE + 8 * MINUTE, BASE + 12 * MINUTE, BASE + 2 * MINUTE),
    IngestWindow(2, BASE + 8 * MINUTE, BASE + 12 * MINUTE, BASE + 16 * MINUTE),
    IngestWindow(3, BASE + 12 * MINUTE, BASE + 16 * MINUTE, BASE + 21 * MINUTE, BASE + 5 * MINUTE),
)


FLAWED_CONFIG = IngestConfig(
    features=(
        Feature("gender"),
        Feature("hour", kind="numeric"),
        Feature("brand", side="item"),
        Feature("price", kind="bucketized", side="item"),
    ),
    max_behaviors=3,
    train_fraction=0.5,
    eval_fraction=0.25,
    attribution_hours=0.125,
    log_start=brute_force.iso(LOG_START),
)


def plain(window: IngestWindow) -> brute_force_days.Window:
    return brute_force_days.Window(window.start, window.train_end, window.end, window.pairs_start)


def ingest_days(
    where: Path, out: Path, config: IngestConfig, windows: tuple[IngestWindow, ...]
) -> list[Ingested]:
    """Runs one day after another, each with what the one before left."""
    found = []
    for place, window in enumerate(windows):
        before = out / str(place - 1) if window.start is not None else None
        found.append(
            run_ingest(where, out / str(place), config, LOG_END, window=window, before=before),
        )
    return found


@FEW
@given(logs=random_logs(), rows_per_file=st.sampled_from([4, 1000]))
def test_each_day_equals_brute_force(logs: dict[str, Files], rows_per_file: int) -> None:
    rows = {log: [list(brute_force.rows_of(groups)) for groups in files] for log, files in logs.items()}
    days = Days(
        rows,
        brute_force.Settings(
            LOG_START, LOG_END, window=ATTRIBUTION, user_features=USER_FEATURES, item_features=ITEM_FEATURES
        ),
    )
    try:
        wanted = [days.run(plain(window)) for window in WINDOWS]
    except brute_force.EmptySplit:
        reject()
    with tempfile.TemporaryDirectory() as folder:
        where = write_logs(Path(folder) / "logs", logs, EXTRA)
        found = ingest_days(where, Path(folder), replace(FLAWED_CONFIG, rows_per_file=rows_per_file), WINDOWS)
    for day, outcome in zip(found, wanted, strict=True):
        for split in SPLITS:
            assert day.split(split) == outcome.examples[split]
            assert by_purchase(stored(day.pairs[split])) == by_purchase(shown(outcome.pairs[split]))
        assert day.item_stats == outcome.item_stats
        assert sorted(day.history, key=lambda row: row["user_id"].encode()) == outcome.history
        assert day.counts["used"] == {log: len(rows) for log, rows in outcome.used.items()}


def clean(logs: dict[str, list], end: int) -> dict[str, list]:
    """Logs without a flaw up to a moment, with every item there from the beginning."""
    return {"catalog": CATALOG} | {
        log: [row for row in rows if row["timestamp"] < end] for log, rows in logs.items()
    }


def write_clean(folder: Path, logs: dict[str, list]) -> Path:
    return write_logs(folder, {log: one_file(rows) for log, rows in clean(logs, BASE + 21 * MINUTE).items()})


CLEAN_CONFIG = IngestConfig(
    features=(),
    max_behaviors=4,
    train_fraction=0.5,
    eval_fraction=0.25,
    attribution_hours=0.125,
    rows_per_file=7,
)


def busy_logs() -> dict[str, list]:
    """Logs of 20 minutes by chance, full enough that users have more behaviors than are kept."""
    rng = random.Random(0)

    def event(**values: Any) -> dict:
        moment = BASE + rng.randrange(60) * 20 * SECOND
        return {"user_id": rng.choice(USERS), "item_id": rng.choice(ITEMS), "timestamp": moment} | values

    shown = [event(impression_id=f"m{number}", clicked=rng.random() < 0.4) for number in range(80)]
    bought = [event(purchase_id=f"p{number}", search_id=None) for number in range(25)]
    return {"impressions": shown, "searches": [ANCHOR_SEARCH], "purchases": bought}


def test_the_last_day_equals_an_ingest_of_the_whole_logs() -> None:
    logs = busy_logs()
    with tempfile.TemporaryDirectory() as folder:
        last = ingest_days(write_clean(Path(folder) / "logs", logs), Path(folder), CLEAN_CONFIG, WINDOWS)[-1]
    window = WINDOWS[-1]
    whole = brute_force.ingest(
        {log: [rows] for log, rows in clean(logs, window.end).items()},
        brute_force.Settings(
            LOG_START,
            LOG_END,
            max_behaviors=4,
            train_end=window.train_end,
            eval_end=window.train_end + MINUTE,
            window=ATTRIBUTION,
        ),
    )
    trained = [row for row in whole.examples["train"] if row["timestamp"][0] >= window.start]
    assert last.split("train") == trained
    assert last.split("eval") + last.split("test") == whole.examples["eval"] + whole.examples["test"]
    assert last.item_stats == whole.item_stats
    assert len(trained) > 3 and any(len(row["behavior_item_id"]) == 4 for row in trained)


@FEW
@given(logs=flawless_logs, data=st.data())
def test_nothing_from_a_moment_of_the_next_day_on_changes_what_was_before(
    logs: dict[str, list], data: st.DataObject
) -> None:
    window = WINDOWS[1]
    moment = window.train_end + data.draw(st.integers(0, 6)) * 20 * SECOND
    changed = data.draw(changed_from(logs, moment))
    # Whatever is drawn and changed, each day has impressions, in more than one minute.
    anchors = [
        {"impression_id": f"anchor{minute}", "user_id": "eve", "item_id": "i0", "clicked": False}
        | {"timestamp": BASE + minute * MINUTE}
        for minute in range(20)
    ]
    for rows in (logs, changed):
        rows["impressions"] = [*anchors, *rows["impressions"]]
        rows["searches"] = [ANCHOR_SEARCH, *rows["searches"]]
    found = []
    with tempfile.TemporaryDirectory() as folder:
        # The first day reads nothing of what changes.
        where = write_clean(Path(folder) / "logs", logs)
        ingest_days(where, Path(folder), CLEAN_CONFIG, WINDOWS[:1])
        for name, rows in (("before", logs), ("after", changed)):
            where = write_clean(Path(folder) / f"logs {name}", rows)
            out = Path(folder) / name
            found.append(
                run_ingest(where, out, CLEAN_CONFIG, LOG_END, window=window, before=Path(folder) / "0")
            )
    before, after = found
    assert before.split("train") == after.split("train")
    assert before.item_stats == after.item_stats
    # Into how many shards users are divided depends on all impressions.
    assert sorted(before.history, key=repr) == sorted(after.history, key=repr)
    features = [
        {
            row["impression_id"][0]: row
            for split in SPLITS
            for row in day.split(split)
            if row["timestamp"][0] < moment
        }
        for day in found
    ]
    assert features[0] == features[1]
