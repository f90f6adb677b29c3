"""Reads what the Evaluator wrote."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import validation_result_pb2
from tensorflow_model_analysis.writers import eval_config_writer

from components.evaluator.ranking_metrics import METRICS
from transforms.input_error import InputError
from transforms.item_stats import NEW_ITEM_GROUP

NEW = "new"
# About as many points as a calibration curve can show apart.
CALIBRATION_POINTS = 20
_BUCKET_SUMS = ("numWeightedExamples", "totalWeightedRefinedPrediction", "totalWeightedLabel")


def load_results(folder: str) -> dict[str, Any]:
    """Loads a `ModelEvaluation` artifact into plain values.

    Args:
        folder: the artifact's folder or URI.
    Returns:
        `{"auc", "gauc", "logloss", "calibration", "impressions",
        "groups": [{"group": 1 … 8 or "new", …the same five…}, …],
        "baseline": {…the same five…} or None where there was no baseline,
        "calibration_plot": [{"predicted", "observed", "impressions"}, …] from low to high predictions,
        "validation": {"ok": bool, "reasons": [one line for each threshold that was missed]}}`.
        A metric that is not defined (NaN) is None.
    Raises:
        InputError: if the evaluation saw no impression.
    """
    # Names stand only where two models were evaluated.
    _, _, _, models = eval_config_writer.load_eval_run(folder)
    compared = tfma.BASELINE_KEY in models
    candidate = tfma.load_eval_result(folder, model_name=tfma.CANDIDATE_KEY if compared else "")
    slices = _slices(candidate)
    if () not in slices:
        raise InputError(
            f"evaluation {folder}: expected at least one impression in the evaluated split, got none"
        )
    groups = [
        {"group": NEW if key[0][1] == NEW_ITEM_GROUP else key[0][1], **slices[key]}
        for key in sorted(slices)
        if key
    ]
    baseline = tfma.load_eval_result(folder, model_name=tfma.BASELINE_KEY) if compared else None
    return {
        **slices[()],
        "groups": groups,
        "baseline": _slices(baseline)[()] if baseline else None,
        "calibration_plot": _calibration_plot(candidate),
        "validation": _validation(tfma.load_validation_result(folder)),
    }


def _slices(result: Any) -> dict[tuple, dict[str, float | int | None]]:
    """The metrics by slice key: () is all impressions, ((feature, value),) one group."""
    return {key: _metrics(metrics[""][""]) for key, metrics in result.slicing_metrics}


def _metrics(values: Mapping[str, Mapping[str, Any]]) -> dict[str, float | int | None]:
    named = {name: _number(values[name]["doubleValue"]) for name in METRICS}
    return {**named, "impressions": int(values["example_count"]["doubleValue"])}


def _number(value: Any) -> float | None:
    """A value of a proto's JSON form, where NaN is a string."""
    number = float(value)
    return None if math.isnan(number) else number


def _calibration_plot(result: Any) -> list[dict[str, float | int]]:
    """Joins neighbors among TFMA's thousand narrow buckets into points of nearly equal impressions.

    Click probabilities crowd at the low end, where buckets of equal width would leave one or two points.
    """
    plots = next(plots[""][""] for key, plots in result.plots if key == ())
    buckets = plots["calibrationHistogramBuckets"]["buckets"]
    sums = np.array([[bucket[name] for name in _BUCKET_SUMS] for bucket in buckets])  # [buckets, 3]
    sums = sums[sums[:, 0] > 0]
    impressions = sums[:, 0]
    # A bucket belongs to the point in whose share of the impressions its middle lies.
    middle = np.cumsum(impressions) - impressions / 2
    points = np.zeros((CALIBRATION_POINTS, len(_BUCKET_SUMS)))
    np.add.at(points, (middle * CALIBRATION_POINTS / impressions.sum()).astype(int), sums)
    return [
        {"predicted": predicted / count, "observed": observed / count, "impressions": int(count)}
        for count, predicted, observed in points[points[:, 0] > 0].tolist()
    ]


def _validation(result: validation_result_pb2.ValidationResult) -> dict[str, Any]:
    return {"ok": result.validation_ok, "reasons": list(_reasons(result))}


def _reasons(result: validation_result_pb2.ValidationResult) -> Iterator[str]:
    for validation in result.metric_validations_per_slice:
        for failure in validation.failures:
            yield _reason(failure)


def _reason(failure: validation_result_pb2.ValidationFailure) -> str:
    name, value = failure.metric_key.name, failure.metric_value.double_value.value
    threshold = failure.metric_threshold
    if failure.message.strip():
        return f"{name}: {' '.join(failure.message.split())}"
    if threshold.HasField("value_threshold"):
        least = threshold.value_threshold.lower_bound.value
        if math.isnan(value):
            return f"{name} is undefined: {_WHY_UNDEFINED[name]}; at least {least:.6g} is asked"
        return f"{name} is {value:.6g}; at least {least:.6g} is asked"
    allowed = -threshold.change_threshold.absolute.value
    if math.isnan(value):
        return f"{name} cannot be compared with the baseline's: one of the two is undefined"
    return f"{name} is {-value:.6g} below the baseline's; at most {allowed:.6g} is allowed"


_WHY_UNDEFINED = {
    "auc": "the evaluated impressions are all clicked or all not clicked",
    "gauc": "no user of the evaluated impressions has both clicked and not clicked ones",
}
