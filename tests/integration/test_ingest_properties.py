"""LogIngest over random logs does what a brute-force version with loops and dictionaries does."""

import math
import tempfile
from pathlib import Path
from typing import Any

import brute_force
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st
from ingest_checks import by_purchase, shown, stored
from ingest_run import Ingested, run_ingest
from random_logs import EXTRA, ITEM_FEATURES, LOG_END, LOG_START, USER_FEATURES, random_logs
from small_logs import Files, write_logs

from transforms.feature import Feature
from transforms.ingest_config import IngestConfig

FEATURES = (
    Feature("gender"),
    Feature("hour", kind="numeric"),
    Feature("brand", side="item"),
    Feature("price", kind="bucketized", side="item"),
)
# A run of Beam takes about a second, which rules out shrinking by thousands of runs.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
FEW = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=PHASES,
    suppress_health_check=list(HealthCheck),
)


def make_config(rows_per_file: int, **values: Any) -> IngestConfig:
    values = {
        "train_fraction": 0.5,
        "eval_fraction": 0.25,
        "attribution_hours": 0.125,
        "max_behaviors": 3,
    } | values
    return IngestConfig(
        features=FEATURES,
        rows_per_file=rows_per_file,
        log_start=brute_force.iso(LOG_START),
        **values,
    )


def expect(logs: dict[str, Files]) -> brute_force.Outcome:
    rows = {log: [list(brute_force.rows_of(groups)) for groups in files] for log, files in logs.items()}
    return brute_force.ingest(
        rows,
        brute_force.Settings(
            log_start=LOG_START,
            log_end=LOG_END,
            # 0.125 hours are 450 seconds.
            window=450 * 1_000_000,
            user_features=USER_FEATURES,
            item_features=ITEM_FEATURES,
        ),
    )


def expect_or_reject(logs: dict[str, Files]) -> brute_force.Outcome:
    """What must come of the logs; lets Hypothesis look for other logs where a split is empty."""
    try:
        return expect(logs)
    except brute_force.EmptySplit:
        return reject()


def ingest(logs: dict[str, Files], rows_per_file: int) -> Ingested:
    with tempfile.TemporaryDirectory() as folder:
        where = write_logs(Path(folder) / "logs", logs, EXTRA)
        found = run_ingest(where, Path(folder) / "out", make_config(rows_per_file), LOG_END)
        return without_folder(found, str(where))


def without_folder(found: Ingested, folder: str) -> Ingested:
    """Paths of files as they are below the logs."""
    for rows in found.rejects.values():
        for row in rows:
            row["file"] = row["file"].removeprefix(f"{folder}/")
    found.counts["reject_files"] = {
        log: {
            reason: {file.removeprefix(f"{folder}/"): count for file, count in files.items()}
            for reason, files in reasons.items()
        }
        for log, reasons in found.counts["reject_files"].items()
    }
    return found


@FEW
@given(logs=random_logs(), rows_per_file=st.sampled_from([1, 4, 9, 1000]))
def test_equals_brute_force(logs: dict[str, Files], rows_per_file: int) -> None:
    wanted = expect_or_reject(logs)
    found = ingest(logs, rows_per_file)

    for split in ("train", "eval", "test"):
        assert found.split(split) == wanted.examples[split]
        assert by_purchase(stored(found.pairs[split])) == by_purchase(shown(wanted.pairs[split]))
    assert found.item_stats == wanted.item_stats
    assert by_item(stored(found.catalog)) == by_item(shown(wanted.used["catalog"]))
    for log, files in logs.items():
        names = [f"{log}/part-{number:03d}.parquet" for number in range(len(files))]
        assert {(row["file"], row["row"], row["reason"]) for row in found.rejects[log]} == {
            (names[file], row, reason) for file, row, reason in wanted.rejects[log]
        }
        assert_whole(found.rejects[log], dict(zip(names, files, strict=True)))
    read = {log: sum(len(group) for file in files for group in file) for log, files in logs.items()}
    paths = {log: [f"{log}/part-{number:03d}.parquet" for number in range(3)] for log in logs}
    assert found.counts == brute_force.counts(wanted, paths, read)
    for log in logs:
        assert read[log] == found.counts["used"][log] + sum(found.counts["rejects"][log].values())
        assert sum(found.counts["rejects"][log].values()) == len(found.rejects[log])
    assert_time_order(found)


@settings(FEW, max_examples=3)
@given(logs=random_logs(), data=st.data())
def test_shards_and_order_of_files_change_nothing(logs: dict[str, Files], data: st.DataObject) -> None:
    expect_or_reject(logs)
    # Which row of a duplicate id is used depends on the files' order, by contract; so ids are made unique.
    for log, files in logs.items():
        for number, row in enumerate(row for file in files for group in file for row in group):
            if log != "catalog" and row[brute_force.IDS[log]]:
                row[brute_force.IDS[log]] += f"-{number}"
    shuffled = {
        log: data.draw(st.permutations(files)) if log != "catalog" else files for log, files in logs.items()
    }
    one, many = ingest(logs, 1000), ingest(shuffled, 3)
    for split in ("train", "eval", "test"):
        assert one.split(split) == many.split(split)
        assert by_purchase(one.pairs[split]) == by_purchase(many.pairs[split])
    assert one.item_stats == many.item_stats
    assert one.counts["rejects"] == many.counts["rejects"]
    assert one.counts["used"] == many.counts["used"]


def by_item(catalog: list[dict]) -> dict[str, dict]:
    keyed = {row["item_id"]: row for row in catalog}
    assert len(keyed) == len(catalog)
    return keyed


def assert_whole(rejects: list[dict], files: dict[str, list]) -> None:
    """A reject has every value of the row that it was."""
    for rejected in rejects:
        row = [row for group in files[rejected["file"]] for row in group][rejected["row"]]
        stored = {
            **rejected,
            "timestamp": rejected.get("timestamp"),
            "created_at": rejected.get("created_at"),
        }
        for name, value in row.items():
            # A NaN differs from itself.
            assert stored[name] == value or (isinstance(value, float) and math.isnan(value)), (
                name,
                rejected,
                row,
            )


def assert_time_order(found: Ingested) -> None:
    """Examples come in time order within a file, over a split's files, and over the splits."""
    moments = [
        example["timestamp"][0]
        for split in ("train", "eval", "test")
        for file in found.examples[split]
        for example in file
    ]
    assert moments == sorted(moments)
