"""`summary.json`: what a program would ask of a run."""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

from components.monitoring.find_alerts import find_alerts
from components.report.day_record import build_day_record
from components.report.recall_summary import summarize_recall
from components.report.run_record import RunRecord

# What the Evaluator's baseline is: the model of IDs alone, trained in the same run.
BASELINE_MODEL = "id"
METRICS = ("auc", "gauc", "logloss", "calibration")
ENCODER_FIGURES = (
    "method",
    "acc@1",
    "acc@5",
    "pairs",
    "candidates",
    "slices",
    "alignment",
    "uniformity",
    "random_cosine",
    "blessed",
)


class Stage(TypedDict):
    """One stage of a run: `cached` where its result was taken from an earlier run."""

    name: str
    seconds: float
    cached: bool


def build_summary(record: RunRecord, stages: Sequence[Stage], root: Path) -> dict[str, Any]:
    """The summary of a run, ready for JSON: a value that is no finite number is None.

    Args:
        record: what the run left behind.
        stages: the stages in the order in which they ran; empty while the run still goes on.
        root: ROOT, to which the pushed path is relative.
    """
    summary = {
        "logs": _logs(record.counts),
        "encoder": {modality: _encoder(encoder.metrics) for modality, encoder in record.encoders.items()},
        "embeddings": record.embeddings,
        "ctr": _ctr(record),
        "recall": None if record.recall is None else summarize_recall(record.recall),
        "pushed": _pushed(record, root),
        "stages": [dict(stage) for stage in stages],
    }
    summary = _finite(summary)
    summary["alerts"] = _alerts(record, summary)
    summary["days"] = _days(record, summary)
    return summary


def _alerts(record: RunRecord, summary: dict[str, Any]) -> list[dict[str, str]]:
    reasons = {"ctr": record.results["validation"]["reasons"]}
    reasons |= {f"{name}_encoder": encoder.metrics["reasons"] for name, encoder in record.encoders.items()}
    if record.recall is not None:
        reasons["recall"] = record.recall.reasons
    before = [day["coverage"] for day in record.days if record.date is not None and day["date"] < record.date]
    last = before[-1] if before else None
    found = find_alerts(summary, reasons, record.anomalies, record.monitoring, last)
    return [alert.to_dict() for alert in found]


def _days(record: RunRecord, summary: dict[str, Any]) -> list[dict[str, Any]]:
    """The records of all days, this one among them."""
    if record.date is None:
        return record.days
    days = [*record.days, build_day_record(summary, record.date)]
    return sorted(days, key=lambda day: day["date"])


def _logs(counts: dict[str, Any]) -> dict[str, Any]:
    return {
        **counts["read"],
        "used": counts["used"],
        "rejects": counts["rejects"],
        "splits": counts["splits"],
        "query_pairs": counts["query_pairs"],
    }


def _ctr(record: RunRecord) -> dict[str, Any]:
    results = record.results
    ctr = {"model": record.history["model"], **_model(results)}
    if results["baseline"] is not None:
        ctr["baseline"] = {"model": BASELINE_MODEL, **_model(results["baseline"])}
    if results["last_blessed"] is not None:
        ctr["last_blessed"] = _metrics(results["last_blessed"])
    return {**ctr, "blessed": record.blessed}


def _model(source: dict[str, Any]) -> dict[str, Any]:
    groups = [{"group": group["group"], **_metrics(group)} for group in source["groups"]]
    return {**_metrics(source), "groups": groups}


def _metrics(source: dict[str, Any]) -> dict[str, Any]:
    return {"impressions": source["impressions"], **{name: source[name] for name in METRICS}}


def _encoder(metrics: dict[str, Any]) -> dict[str, Any]:
    figures = {name: metrics[name] for name in ENCODER_FIGURES}
    return figures if metrics["baseline"] is None else figures | {"baseline": metrics["baseline"]}


def _pushed(record: RunRecord, root: Path) -> dict[str, str]:
    models = {"ctr": record.pushed_model}
    models |= {f"{modality}_encoder": encoder.pushed for modality, encoder in record.encoders.items()}
    if record.recall is not None:
        models["recall"] = record.recall.pushed
    return {name: _place(path, root) for name, path in models.items() if path is not None}


def _place(path: str, root: Path) -> str:
    # A user may push to a place of their own, outside of ROOT: its whole path is the only name for it.
    inside = "://" not in path and Path(os.path.abspath(path)).is_relative_to(os.path.abspath(root))
    return os.path.relpath(path, root) if inside else path


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value
