"""One small run's artifacts, made by code."""

import json
import sys
import types
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.report.inputs import ReportInputs
from components.report.run_record import RunRecord

COUNTS = {
    "read": {"catalog": 6, "impressions": 100, "searches": 12, "purchases": 5},
    "used": {"catalog": 6, "impressions": 95, "searches": 12, "purchases": 4},
    "rejects": {
        "catalog": {},
        "impressions": {"null user_id": 2, "unknown item_id": 3},
        "searches": {},
        "purchases": {"duplicate purchase_id": 1},
    },
    "splits": {"train": 70, "eval": 15, "test": 10},
    "boundaries": {"train_end": "2026-03-25T00:00:00+00:00", "eval_end": "2026-03-28T00:00:00+00:00"},
    "query_pairs": {"train": 3, "eval": 1, "test": 0, "seen_in_train": 1},
    "clicks": {"train": 14, "eval": 3, "test": 1},
    "reject_files": {},
}
RESULTS = {
    "auc": 0.75,
    "gauc": 0.7,
    "logloss": 0.5,
    "calibration": 1.1,
    "impressions": 10,
    "groups": [
        {"group": 1, "impressions": 4, "auc": 0.6, "gauc": 0.625, "logloss": 0.55, "calibration": 1.25},
        {
            "group": "new",
            "impressions": 6,
            "auc": float("nan"),
            "gauc": float("nan"),
            "logloss": 0.45,
            "calibration": float("inf"),
        },
    ],
    "baseline": None,
    "calibration_plot": [
        {"predicted": 0.25, "observed": 0.5, "impressions": 4},
        {"predicted": 0.75, "observed": 0.5, "impressions": 6},
    ],
    "validation": {"ok": True, "reasons": []},
}
HISTORY = {
    "model": "id",
    "examples": 70,
    "seconds": 3.5,
    "curve": [
        {"step": 1, "examples": 35, "loss": 0.7, "seconds": 2.0},
        {"step": 2, "examples": 70, "loss": 0.5, "seconds": 3.5},
    ],
    "eval": {"auc": 0.74, "logloss": 0.51},
}
ANOMALIES = [
    {
        "split": "eval",
        "kind": "drift",
        "feature": "city",
        "short": "High distance",
        "description": "The L-infinity distance is 0.2, above the threshold 0.1.",
    }
]


def write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def write_rejects(path: Path, columns: dict[str, list]) -> None:
    """Rejected rows of one log; the first stands in row 4 of its file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    length = len(columns["reason"])
    places = {"file": [f"{path.parent.name}/0.parquet"] * length, "row": list(range(4, 4 + length))}
    pq.write_table(pa.table({**columns, **places}), path)


@pytest.fixture
def results(monkeypatch):
    """The Evaluator's results, in place of reading TFMA's files."""
    module = types.ModuleType("components.evaluator.results")
    module.load_results = lambda evaluation_dir: RESULTS
    monkeypatch.setitem(sys.modules, "components.evaluator.results", module)
    return RESULTS


@pytest.fixture
def inputs(tmp_path, results) -> ReportInputs:
    """A blessed and pushed run."""
    artifacts = tmp_path / "root" / "artifacts"
    write_json(artifacts / "rejects" / "counts.json", COUNTS)
    unknown = {
        "item_id": [f"x{n}" for n in range(3)],
        "user_id": ["u"] * 3,
        "reason": ["unknown item_id"] * 3,
    }
    null = {"item_id": ["a", "b"], "user_id": [None, None], "reason": ["null user_id"] * 2}
    duplicate = {"purchase_id": ["p1"], "reason": ["duplicate purchase_id"]}
    write_rejects(artifacts / "rejects" / "impressions" / "rejects-00000.parquet", unknown)
    write_rejects(artifacts / "rejects" / "impressions" / "rejects-00001.parquet", null)
    write_rejects(artifacts / "rejects" / "purchases" / "rejects-00000.parquet", duplicate)
    (artifacts / "item_stats").mkdir()
    stats = pa.table({"item_id": ["a", "b", "c"], "impressions": [5, 60, 5], "clicks": [1, 9, 0]})
    pq.write_table(stats, artifacts / "item_stats" / "part-0.parquet")
    write_json(artifacts / "anomalies" / "anomalies.json", ANOMALIES)
    write_json(artifacts / "model_run" / "history.json", HISTORY)
    (artifacts / "blessing").mkdir()
    (artifacts / "blessing" / "BLESSED").touch()
    return ReportInputs(
        rejects=str(artifacts / "rejects"),
        item_stats=str(artifacts / "item_stats"),
        anomalies=str(artifacts / "anomalies"),
        model_run=str(artifacts / "model_run"),
        evaluation=str(artifacts / "evaluation"),
        blessing=str(artifacts / "blessing"),
        pushed_model=str(tmp_path / "root" / "pushed" / "ctr" / "1"),
    )


@pytest.fixture
def record(inputs) -> RunRecord:
    """The same run, loaded."""
    return RunRecord.load(inputs)
