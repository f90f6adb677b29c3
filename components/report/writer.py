"""Writes a run's report: the page for people, the summary for programs."""

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components.report import files
from components.report.day_record import SUMMARY
from components.report.inputs import ReportInputs
from components.report.page import render_page
from components.report.run_record import RunRecord
from components.report.summary import Stage, build_summary

PAGE = "report.html"
INPUTS = "inputs.json"


def write_report(
    inputs: ReportInputs, stages: Sequence[Stage], root: Path, folder: str | None = None
) -> dict[str, Any]:
    """Writes `report.html` and `summary.json`, each whole or not at all.

    Args:
        inputs: where the run's artifacts lie.
        stages: the stages' times, in the order in which they ran.
        root: ROOT; paths in the summary are relative to it.
        folder: where to write, ROOT by default.
    Returns:
        The summary.
    Raises:
        InputError: if an artifact's file is missing or unreadable.
    """
    record = RunRecord.load(inputs)
    summary = build_summary(record, stages, root)
    target = folder or str(root)
    files.write_text(os.path.join(target, PAGE), render_page(record, summary, datetime.now(UTC)))
    text = json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    files.write_text(os.path.join(target, SUMMARY), text)
    return summary
