"""What the Report component does."""

import os
from pathlib import Path
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from components.report import files
from components.report.day_record import DAYS_FOLDER
from components.report.inputs import ReportInputs
from components.report.writer import INPUTS, write_report

FOLDERS = ("rejects", "item_stats", "anomalies", "model_run", "evaluation", "blessing")
OPTIONAL_FOLDERS = (
    "image_evaluation",
    "image_run",
    "text_evaluation",
    "text_run",
    "embeddings",
    "inspection",
    "baseline_run",
    "make_run",
    "recall_run",
    "recall_evaluation",
    "index_evaluation",
)
PUSHED = ("pushed_model", "pushed_image_encoder", "pushed_text_encoder", "pushed_recall")


class Executor(base_executor.BaseExecutor):
    """Writes the report of the artifacts that it is given."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes `report.html`, `summary.json` and `inputs.json`.

        Args:
            input_dict: one artifact for each of the spec's inputs, at most one for the optional ones.
            output_dict: `report`, one artifact.
            exec_properties: `root`, `monitoring` (JSON), and of a run that knows days `date`.
        Raises:
            InputError: if an artifact's file is missing or unreadable.
        """
        places: dict[str, Any] = {name: artifact_utils.get_single_uri(input_dict[name]) for name in FOLDERS}
        places |= {name: input_dict[name][0].uri for name in OPTIONAL_FOLDERS if input_dict.get(name)}
        places |= {name: _destination(input_dict[name][0]) for name in PUSHED if input_dict.get(name)}
        root, date = exec_properties["root"], exec_properties.get("date")
        days = os.path.join(root, DAYS_FOLDER) if date else None
        inputs = ReportInputs(**places, monitoring=exec_properties["monitoring"], days=days, date=date)
        report = artifact_utils.get_single_uri(output_dict["report"])
        write_report(inputs, [], Path(root), report)
        files.write_text(os.path.join(report, INPUTS), inputs.to_json())


def _destination(pushed_model: types.Artifact) -> str | None:
    """Where the Pusher put the model; it says so in custom properties, also when it pushed nothing."""
    if not pushed_model.get_int_custom_property("pushed"):
        return None
    return pushed_model.get_string_custom_property("pushed_destination")
