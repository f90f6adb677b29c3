"""What the ledger keeps of one day's run, `ROOT/days/<date>.json`."""

import os
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from components.monitoring.alert import Alert
from components.monitoring.find_alerts import coverage
from components.report import files
from transforms.input_error import InputError

# Below ROOT.
SUMMARY = "summary.json"
DAYS_FOLDER = "days"
FIGURES = ("impressions", "auc", "gauc", "logloss", "calibration")
PUSHED, REFUSED = "pushed", "refused"
_REQUIRED = {
    "date",
    "status",
    "model",
    "candidate",
    "last_blessed",
    "baseline",
    "stages",
    "coverage",
    "alerts",
}


def build_day_record(summary: Mapping[str, Any], day: str) -> dict[str, Any]:
    """One day's record, ready for JSON.

    Args:
        summary: of that day's run.
        day: ISO date that the models were trained up to; they were measured on the day after it.
    Returns:
        "date", "status" ("pushed" or "refused", of the click model), "model" (its integration), "candidate",
        "last_blessed" and "baseline" (`FIGURES` of each, None where there was no such model), "stages" (name,
        seconds and cached of each), "coverage" (by modality, the share of all items with an embedding) and
        "alerts".
    """
    ctr = summary["ctr"]
    return {
        "date": day,
        "status": PUSHED if "ctr" in summary["pushed"] else REFUSED,
        "model": ctr["model"],
        "candidate": _figures(ctr),
        "last_blessed": _figures(ctr.get("last_blessed")),
        "baseline": _figures(ctr.get("baseline")),
        "stages": summary["stages"],
        "coverage": coverage(summary["embeddings"]),
        "alerts": summary["alerts"],
    }


def read_day_records(folder: str) -> list[dict[str, Any]]:
    """The records of all days, in their order; further keys are kept.

    Args:
        folder: ROOT/days; where there is none there are no days.
    Raises:
        InputError: a file is no such record.
    """
    scheme = folder.partition("://")[0] + "://" if "://" in folder else ""
    paths = [f"{scheme}{path}" for path in files.list_files(folder, ".json")]
    return sorted((read_day_record(path) for path in paths), key=lambda record: record["date"])


def read_day_record(path: str) -> dict[str, Any]:
    """One day's record.

    Raises:
        InputError: there is no such file, or it is no record of the day that it is named after.
    """
    record = files.read_json(path)
    name = os.path.basename(path).removesuffix(".json")
    if not isinstance(record, dict) or not set(record) >= _REQUIRED or record["date"] != name:
        raise InputError(f"{path}: expected the record of a day, with {', '.join(sorted(_REQUIRED))}")
    try:
        date.fromisoformat(name)
    except ValueError:
        raise InputError(f"{path}: expected a file named after a day, such as 2024-01-31.json") from None
    for alert in record["alerts"]:
        Alert.from_dict(alert)
    return record


def seconds_of(stages: Sequence[Mapping[str, Any]]) -> float:
    """How long the stages took in all."""
    return float(sum(stage["seconds"] for stage in stages))


def _figures(source: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if source is None else {name: source[name] for name in FIGURES}
