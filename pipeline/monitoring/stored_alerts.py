"""Alerts of a finished run, from the files that it left."""

import os
import time
from datetime import date

from components.monitoring.alert import Alert
from components.report import files
from components.report.day_record import DAYS_FOLDER, SUMMARY, read_day_record
from transforms.input_error import InputError


def record_path(root: str, day: str | None) -> str:
    """The file that has the alerts.

    Args:
        root: ROOT, a folder or a URI.
        day: an ISO date; None: the last run, of whatever day.
    Raises:
        InputError: it is no date.
    """
    if day is None:
        return os.path.join(root, SUMMARY)
    try:
        name = date.fromisoformat(day).isoformat()
    except ValueError:
        raise InputError(f"--date must be a day such as 2024-01-31, got {day!r}") from None
    return os.path.join(root, DAYS_FOLDER, f"{name}.json")


def read_alerts(root: str, day: str | None) -> list[Alert]:
    """The alerts of a day, or of the last run.

    Arguments as in `record_path`.

    Raises:
        InputError: there is no such run, or its file is damaged.
    """
    path = record_path(root, day)
    if not files.exists(path):
        raise InputError(f"expected {'a finished run' if day is None else 'that day'}, found no {path}")
    record = files.read_json(path) if day is None else read_day_record(path)
    found = record.get("alerts") if isinstance(record, dict) else None
    if not isinstance(found, list):
        raise InputError(f"{path} knows no alerts; `adlens report` writes it anew")
    return [Alert.from_dict(values) for values in found]


def age_hours(root: str, day: str | None) -> float:
    """Hours since the file of `record_path` was written."""
    return (time.time() - files.modified_at(record_path(root, day))) / 3600
