"""One small run's artifacts, made by code."""

import io
import json
import sys
import types
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from components.monitoring.config import MonitoringConfig
from components.report.inputs import ReportInputs
from components.report.run_record import RunRecord
from transforms.configuration import to_json

sys.path.append(str(Path(__file__).resolve().parents[3] / "support"))

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
    "last_blessed": None,
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
BASELINE_HISTORY = {**HISTORY, "seconds": 2.0}
BASELINE = {
    "auc": 0.7,
    "gauc": 0.71,
    "logloss": 0.53,
    "calibration": 1.0,
    "impressions": 10,
    "groups": [
        {"group": 1, "impressions": 4, "auc": 0.55, "gauc": 0.5, "logloss": 0.6, "calibration": 1.5},
        {
            "group": "new",
            "impressions": 6,
            "auc": float("nan"),
            "gauc": float("nan"),
            "logloss": 0.4,
            "calibration": float("inf"),
        },
    ],
}
LAST_BLESSED = {"impressions": 10, "auc": 0.8, "gauc": None, "logloss": 0.4, "calibration": 0.9, "groups": []}
MAKE_HISTORY = {
    "model": "make",
    "examples": 140,
    "seconds": 7.0,
    "curve": [],
    "epochs": [
        {"epoch": 1, "loss": 0.7, "auc": 0.5, "logloss": 0.69},
        {"epoch": 2, "loss": 0.6, "auc": 0.6, "logloss": 0.65},
    ],
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


ENCODER_HISTORY = {
    "modality": "image",
    "method": "scl",
    "pairs": 640,
    "steps": 20,
    "seconds": 61.0,
    "curve": [
        {"step": 10, "examples": 320, "loss": 4.0, "seconds": 30.0},
        {"step": 20, "examples": 640, "loss": 2.0, "seconds": 61.0},
    ],
    "evaluations": [{"step": 10, "acc@1": 0.25, "acc@5": 0.5}, {"step": 20, "acc@1": 0.5, "acc@5": 0.75}],
    "temperature": 0.0625,
    "bank": {"size": 2048, "filled": 640, "age_steps": 7.5},
}
ENCODER_METRICS = {
    "modality": "image",
    "method": "scl",
    "pairs": 1600,
    "candidates": 1234,
    "acc@1": 0.6125,
    "acc@5": 0.875,
    "alignment": 0.75,
    "uniformity": -2.5,
    "random_cosine": 0.125,
    "slices": {
        "easy": {"pairs": 1000, "acc@1": 0.97, "acc@5": 1.0},
        "between": {"pairs": 0, "acc@1": None, "acc@5": None},
        "hard": {"pairs": 600, "acc@1": 0.0167, "acc@5": 0.6667},
    },
    "temperature": 0.0625,
    "bank_age_steps": 7.5,
    "baseline": None,
    "blessed": True,
    "reasons": [],
}
EMBEDDING_COUNTS = {
    "items": 3000,
    "with_image": 2000,
    "with_title": 2500,
    "image_embeddings": 1900,
    "text_embeddings": 2500,
    "image_coverage": 0.95,
    "text_coverage": 1.0,
    "encoded": {"image": 1900, "text": 12},
    "reused": {"image": 0, "text": 2488},
    "rejects": {"image": {"unreadable_image": 97, "not_finite": 3}, "text": {}},
}


def picture(color: tuple[int, int, int], size: tuple[int, int] = (600, 300)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, color).save(stream, "PNG")
    return stream.getvalue()


def example(query: str, rank: int, top: list[str], color: tuple[int, int, int]) -> dict:
    """A query for item "bought", and what it retrieved."""
    return {
        "query_text": query,
        "query_image": picture(color),
        "positive_item_id": "bought",
        "positive_title": "the bought one",
        "positive_image": picture(color),
        "rank": rank,
        "top_item_ids": top,
        "top_titles": [f"title of {item}" for item in top],
        "top_images": [picture((0, 0, place)) for place in range(len(top))],
        "top_similarities": [0.9 - 0.1 * place for place in range(len(top))],
    }


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
        monitoring=to_json(MonitoringConfig()),
    )


@pytest.fixture
def encoder_inputs(inputs, tmp_path) -> ReportInputs:
    """The same run with two encoders, the text encoder refused, and embeddings."""
    artifacts = tmp_path / "root" / "artifacts"
    text_history = {**ENCODER_HISTORY, "modality": "text", "temperature": None, "bank": None}
    refused = {
        **ENCODER_METRICS,
        "modality": "text",
        "acc@1": 0.3,
        "baseline": {"acc@1": 0.4, "acc@5": 0.5},
        "temperature": None,
        "bank_age_steps": None,
        "blessed": False,
        "reasons": ["acc@1 fell"],
    }
    examples = [
        example("found", 1, ["bought", "b", "c", "d", "e"], (200, 0, 0)),
        example("third", 3, ["a", "b", "bought", "d", "e"], (0, 200, 0)),
        example("missed", 1234, ["a", "b", "c", "d", "e"], (0, 0, 200)),
    ]
    for modality, metrics, history in (
        ("image", ENCODER_METRICS, ENCODER_HISTORY),
        ("text", refused, text_history),
    ):
        write_json(artifacts / f"{modality}_evaluation" / "metrics.json", metrics)
        pq.write_table(
            pa.Table.from_pylist(examples), artifacts / f"{modality}_evaluation" / "examples.parquet"
        )
        write_json(artifacts / f"{modality}_run" / "history.json", history)
    write_json(artifacts / "embeddings" / "counts.json", EMBEDDING_COUNTS)
    return replace(
        inputs,
        image_evaluation=str(artifacts / "image_evaluation"),
        image_run=str(artifacts / "image_run"),
        pushed_image_encoder=str(tmp_path / "root" / "pushed" / "image_encoder" / "3"),
        text_evaluation=str(artifacts / "text_evaluation"),
        text_run=str(artifacts / "text_run"),
        embeddings=str(artifacts / "embeddings"),
    )


@pytest.fixture
def encoder_record(encoder_inputs) -> RunRecord:
    """The run with encoders, loaded."""
    return RunRecord.load(encoder_inputs)


@pytest.fixture
def record(inputs) -> RunRecord:
    """The same run, loaded."""
    return RunRecord.load(inputs)


@pytest.fixture
def compared_inputs(inputs, tmp_path, monkeypatch) -> ReportInputs:
    """The same run with an ID model beside it, a MAKE trained before it, and a blessed model before both."""
    compared = {**RESULTS, "baseline": BASELINE, "last_blessed": LAST_BLESSED}
    monkeypatch.setattr(sys.modules["components.evaluator.results"], "load_results", lambda folder: compared)
    artifacts = tmp_path / "root" / "artifacts"
    write_json(artifacts / "baseline_run" / "history.json", BASELINE_HISTORY)
    write_json(artifacts / "make_run" / "history.json", MAKE_HISTORY)
    return replace(inputs, baseline_run=str(artifacts / "baseline_run"), make_run=str(artifacts / "make_run"))


@pytest.fixture
def compared_record(compared_inputs) -> RunRecord:
    """The run beside an ID model, loaded."""
    return RunRecord.load(compared_inputs)
