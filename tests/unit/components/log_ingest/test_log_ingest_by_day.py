"""LogIngest as a component of a dated run: what it takes from the day before, what it leaves, what it refuses."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from tfx import types
from tfx.types import standard_artifacts

from components import artifacts
from components.log_ingest.component import LogIngest
from components.log_ingest.executor import Executor, check_counts
from components.span import SPAN
from pipeline.config import RunConfig
from pipeline.run import fingerprint_logs
from transforms.configuration import to_json
from transforms.ingest_config import IngestConfig
from transforms.ingest_window import IngestWindow
from transforms.input_error import InputError

sys.path.append(str(Path(__file__).resolve().parents[3] / "support"))
from ingest_run import read_ingested
from small_logs import BASE, MINUTE, good_logs, write_logs

CONFIG = IngestConfig(features=(), max_behaviors=3)
FIRST = IngestWindow(7, None, BASE + 20 * MINUTE, BASE + 40 * MINUTE)
SECOND = IngestWindow(8, BASE + 20 * MINUTE, BASE + 40 * MINUTE, BASE + 60 * MINUTE)
KINDS = {
    "examples": standard_artifacts.Examples,
    "query_pairs": artifacts.QueryPairs,
    "catalog": artifacts.Catalog,
    "item_stats": artifacts.ItemStats,
    "rejects": artifacts.Rejects,
    "history": artifacts.UserHistory,
}


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Logs with a file for each 20 minutes, and one of items that are made later."""
    rows = good_logs()
    files = {
        log: [
            [[row for row in entries if start <= (row["timestamp"] - BASE) // MINUTE < start + 20]]
            for start in (0, 20, 40)
        ]
        for log, entries in rows.items()
        if log != "catalog"
    }
    late = {"item_id": "late", "created_at": BASE + 50 * MINUTE}
    return write_logs(
        tmp_path_factory.mktemp("dated") / "logs", {"catalog": [[rows["catalog"]], [[late]]]} | files
    )


def run(
    logs: Path, out: Path, window: IngestWindow, known: dict[str, list[types.Artifact]]
) -> dict[str, list]:
    made = {name: [kind()] for name, kind in KINDS.items()}
    for name, (artifact,) in made.items():
        artifact.uri = str(out / name)
        (out / name).mkdir(parents=True)
    context = Executor.Context(
        beam_pipeline_args=["--runner=DirectRunner", "--direct_running_mode=in_memory"],
        tmp_dir=str(out / "tmp"),
        unique_id="1",
    )
    properties = {"logs": str(logs), "fingerprint": "", "config": to_json(CONFIG), "window": to_json(window)}
    Executor(context).Do(known, made, properties)
    return made


def of_span(artifact: Any, span: int) -> list[Any]:
    """As it comes out of the lineage."""
    artifact.set_int_custom_property(SPAN, span)
    return [artifact]


def test_a_day_goes_on_from_the_day_before(logs: Path, tmp_path: Path) -> None:
    first = run(logs, tmp_path / "first", FIRST, {})
    known = {
        "known_history": of_span(first["history"][0], 7),
        "known_stats": of_span(first["item_stats"][0], 7),
    }
    run(logs, tmp_path / "second", SECOND, known)
    found = read_ingested(tmp_path / "second")
    # An impression a minute and a purchase every five, of the second day and the next one; nothing else is read.
    assert found.counts["read"] == {"catalog": 7, "impressions": 40, "searches": 0, "purchases": 6}
    assert [row["timestamp"][0] for row in found.split("train")] == [BASE + n * MINUTE for n in range(20, 40)]
    # 40 impressions so far, every fifth of each of i0 to i4; i5 and the late item had none.
    assert [row["impressions"] for row in found.item_stats] == [8, 8, 8, 8, 8, 0, 0]
    # Before his impression in minute 23 cem clicked in minutes 8 and 20 (those that both 4 divides and leave 2 of 3)
    # the items 8 % 5 and 20 % 5, and bought in minute 11 the item of the purchase 2.
    (cem,) = [row for row in found.split("train") if row["timestamp"] == [BASE + 23 * MINUTE]]
    assert (cem["user_id"], cem["behavior_item_id"]) == (["cem"], ["i3", "i2", "i0"])
    assert all(len(list((tmp_path / "second" / name).iterdir())) for name in ("history", "item_stats"))


@pytest.mark.parametrize("span", [6, 8, None])
def test_another_day_than_the_one_before(span: int | None, logs: Path, tmp_path: Path) -> None:
    history = artifacts.UserHistory()
    known = {"known_history": [history] if span is None else of_span(history, span)}
    with pytest.raises(InputError, match="goes on from the history of the day before, day 7 since 1970; got"):
        run(logs, tmp_path, SECOND, known)


def test_a_run_without_a_window_has_nothing_of_days() -> None:
    plain, dated = LogIngest("logs", CONFIG), LogIngest("logs", CONFIG, window=FIRST)
    assert "history" not in plain.outputs and "window" not in plain.exec_properties
    assert "history" in dated.outputs and "window" in dated.exec_properties


def test_the_fingerprint_is_of_what_a_day_reads(logs: Path) -> None:
    config = RunConfig(ingest=CONFIG)
    late = IngestWindow(9, BASE + 40 * MINUTE, BASE + 50 * MINUTE, BASE + 60 * MINUTE)

    def fingerprints() -> list[str]:
        return [fingerprint_logs(str(logs), config, window) for window in (FIRST, late, None)]

    before = fingerprints()
    # The third file is another one: the first day does not read it.
    os.utime(logs / "impressions" / "part-002.parquet", (1, 1))
    after = fingerprints()
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False, False]
    # The item of minute 50 is made before the end of the last window alone.
    os.utime(logs / "catalog" / "part-001.parquet", (1, 1))
    assert [old == new for old, new in zip(after, fingerprints(), strict=True)] == [True, False, False]


def counts(train: tuple[int, int], evaluates: tuple[int, int], test: tuple[int, int]) -> dict:
    splits = {"train": train, "eval": evaluates, "test": test}
    return {
        "rejects": {},
        "splits": {split: rows for split, (rows, _) in splits.items()},
        "clicks": {split: clicks for split, (_, clicks) in splits.items()},
    }


def test_the_next_day_is_measured_as_a_whole() -> None:
    check_counts(counts((9, 1), (2, 0), (7, 3)), CONFIG, FIRST)
    with pytest.raises(
        InputError, match=r"1970-01-09, on which it is measured, has 9 impressions and no clicks"
    ):
        check_counts(counts((9, 1), (2, 0), (7, 0)), CONFIG, FIRST)
    with pytest.raises(
        InputError, match=r"training up to 1970-01-08 has 9 impressions and no impressions without"
    ):
        check_counts(counts((9, 9), (2, 0), (7, 3)), CONFIG, FIRST)
    with pytest.raises(InputError, match="the eval split has 2 impressions and no clicks"):
        check_counts(counts((9, 1), (2, 0), (7, 3)), CONFIG)
