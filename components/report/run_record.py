"""What a report knows of a run, read from the run's artifacts."""

import json
import os
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from components.monitoring.config import MonitoringConfig
from components.report import files
from components.report.day_record import read_day_records
from components.report.encoder_record import EncoderRecord
from components.report.inputs import ReportInputs
from components.report.recall_record import RecallRecord
from transforms.configuration import from_json
from transforms.input_error import InputError

# Enough to see what is wrong, and a bound on what a page of a very bad log weighs.
EXAMPLES_PER_REASON = 3
MAX_ROW_CHARACTERS = 400


@dataclass(frozen=True)
class RunRecord:
    """One run, in plain values.

    Attributes:
        counts: `counts.json` of LogIngest: rows read, used and rejected, splits, pairs.
        reject_examples: a few rejected rows of each log and reason: log, reason, file, row, row_json.
        item_impressions: int64 `[items]`, impressions of each item in the training days, most first.
        anomalies: split, kind, feature, short, description of each.
        history: `history.json` of the CTR training.
        results: metrics on the test split, as `components.evaluator.results.load_results` gives them.
        blessed: whether the Evaluator let the model pass.
        pushed_model: where the Pusher put it, or None.
        encoders: by modality, "image" before "text"; only those that the run has.
        embeddings: `counts.json` of the CatalogEmbedder, or None in a run without embeddings.
        inspection: `inspection.json` of the Inspector, or None in a run that inspected nothing.
        baseline_history: `history.json` of the ID model beside it, or None.
        make_history: `history.json` of MAKE's own training, or None.
        recall: what it knows of recall, or None in a run without it.
        monitoring: the thresholds of alerts.
        date: the run's day (ISO), or None of a run that knows no days.
        days: the records of the days before and after it, in their order.
    """

    counts: dict[str, Any]
    reject_examples: list[dict[str, Any]]
    item_impressions: npt.NDArray[np.int64]
    anomalies: list[dict[str, str]]
    history: dict[str, Any]
    results: dict[str, Any]
    blessed: bool
    pushed_model: str | None
    encoders: dict[str, EncoderRecord]
    embeddings: dict[str, Any] | None
    inspection: dict[str, Any] | None
    baseline_history: dict[str, Any] | None
    make_history: dict[str, Any] | None
    recall: RecallRecord | None
    monitoring: MonitoringConfig
    date: str | None
    days: list[dict[str, Any]]

    @classmethod
    def load(cls, inputs: ReportInputs) -> Self:
        """Reads the artifacts.

        Raises:
            InputError: if one of the files is missing or unreadable.
        """
        # TFMA takes many seconds to import; the rest of the report does not need it.
        from components.evaluator.results import load_results

        counts = files.read_json(os.path.join(inputs.rejects, "counts.json"))
        return cls(
            counts=counts,
            reject_examples=read_reject_examples(inputs.rejects, counts["rejects"]),
            item_impressions=read_item_impressions(inputs.item_stats),
            anomalies=read_anomalies(inputs.anomalies),
            history=files.read_json(os.path.join(inputs.model_run, "history.json")),
            results=load_results(inputs.evaluation),
            blessed=read_blessed(inputs.blessing),
            pushed_model=inputs.pushed_model,
            encoders=read_encoders(inputs),
            embeddings=_read_optional(inputs.embeddings, "counts.json"),
            inspection=_read_optional(inputs.inspection, "inspection.json"),
            baseline_history=_read_optional(inputs.baseline_run, "history.json"),
            make_history=_read_optional(inputs.make_run, "history.json"),
            recall=read_recall(inputs),
            monitoring=from_json(MonitoringConfig, inputs.monitoring or "{}"),
            date=inputs.date,
            days=read_other_days(inputs),
        )


def read_encoders(inputs: ReportInputs) -> dict[str, EncoderRecord]:
    """The encoders that have been evaluated, by modality."""
    places = {
        "image": (inputs.image_evaluation, inputs.image_run, inputs.pushed_image_encoder),
        "text": (inputs.text_evaluation, inputs.text_run, inputs.pushed_text_encoder),
    }
    return {
        modality: EncoderRecord.load(evaluation, run, pushed)
        for modality, (evaluation, run, pushed) in places.items()
        if evaluation is not None and run is not None
    }


def read_recall(inputs: ReportInputs) -> RecallRecord | None:
    """What there is of recall."""
    run, evaluation = inputs.recall_run, inputs.recall_evaluation
    index_evaluation = inputs.index_evaluation
    if run is None or evaluation is None or index_evaluation is None:
        return None
    return RecallRecord.load(run, evaluation, index_evaluation, inputs.pushed_recall)


def read_other_days(inputs: ReportInputs) -> list[dict[str, Any]]:
    """The ledger's records of the other days; that of this day is made anew with each report."""
    if inputs.days is None:
        return []
    return [record for record in read_day_records(inputs.days) if record["date"] != inputs.date]


def read_reject_examples(folder: str, rejects: dict[str, dict[str, int]]) -> list[dict[str, Any]]:
    """The first few rejected rows of each log and reason.

    Args:
        folder: holds a folder for each log, with Parquet files of whole rows and their reason, file and row.
        rejects: the number of rejected rows by log and reason; reading stops once all have their examples.
    Returns:
        log, reason, file, row, and row_json: the row without its pictures, cut to a bounded length.
    """
    return [
        example
        for log, reasons in sorted(rejects.items())
        for example in _log_examples(os.path.join(folder, log), log, reasons)
    ]


def read_item_impressions(folder: str) -> npt.NDArray[np.int64]:
    """int64 `[items]`: impressions of each item, most first."""
    columns = [
        batch.column("impressions").to_numpy() for batch in files.read_batches(folder, ["impressions"])
    ]
    impressions = np.concatenate([np.empty(0, np.int64), *columns])
    return np.sort(impressions)[::-1]


def read_anomalies(folder: str) -> list[dict[str, str]]:
    """The anomalies of all splits: `anomalies.json` where there is one, else TFDV's own files.

    TFX's ExampleValidator alone leaves only `Split-<name>/SchemaDiff.pb`.

    Raises:
        InputError: if the folder holds neither.
    """
    listed = os.path.join(folder, "anomalies.json")
    if files.exists(listed):
        return files.read_json(listed)
    diffs = files.list_files(folder, "SchemaDiff.pb")
    if not diffs:
        raise InputError(
            f"report: expected anomalies.json or Split-*/SchemaDiff.pb in {folder}, found neither"
        )
    scheme = folder.partition("://")[0] + "://" if "://" in folder else ""
    return [anomaly for path in diffs for anomaly in _schema_anomalies(scheme + path)]


def read_blessed(folder: str) -> bool:
    """The Evaluator's verdict.

    Raises:
        InputError: if there is neither of the two files.
    """
    if files.exists(os.path.join(folder, "BLESSED")):
        return True
    if files.exists(os.path.join(folder, "NOT_BLESSED")):
        return False
    raise InputError(f"report: expected the file BLESSED or NOT_BLESSED in {folder}, found neither")


def _read_optional(folder: str | None, name: str) -> Any:
    return None if folder is None else files.read_json(os.path.join(folder, name))


def _log_examples(folder: str, log: str, reasons: dict[str, int]) -> list[dict[str, Any]]:
    missing = {reason: min(number, EXAMPLES_PER_REASON) for reason, number in reasons.items()}
    examples = []
    for table in files.read_tables(folder):
        picked = []
        for index, reason in enumerate(table.column("reason").to_pylist()):
            if missing.get(reason, 0):
                missing[reason] -= 1
                picked.append(index)
        for row in table.take(picked).to_pylist():
            place = {name: row.pop(name) for name in ("reason", "file", "row")}
            text = json.dumps(row, default=str, ensure_ascii=False)
            examples.append({"log": log, **place, "row_json": _shorten(text)})
        if not any(missing.values()):
            break
    return sorted(examples, key=lambda example: example["reason"])


def _schema_anomalies(path: str) -> list[dict[str, str]]:
    from tensorflow_metadata.proto.v0 import anomalies_pb2

    anomalies = anomalies_pb2.Anomalies.FromString(files.read_bytes(path))
    split = os.path.basename(os.path.dirname(path)).removeprefix("Split-")
    features = [
        {
            "split": split,
            "kind": "schema",
            "feature": feature,
            "short": info.short_description,
            "description": info.description,
        }
        for feature, info in sorted(anomalies.anomaly_info.items())
    ]
    if not anomalies.HasField("dataset_anomaly_info"):
        return features
    info = anomalies.dataset_anomaly_info
    whole = {"feature": "", "short": info.short_description, "description": info.description}
    return [{"split": split, "kind": "schema", **whole}, *features]


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_ROW_CHARACTERS else text[:MAX_ROW_CHARACTERS] + "…"
