"""Reads what the Evaluator wrote."""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.writers import eval_config_writer
from tfx.dsl.io import fileio

from components.evaluator.gate import COMPARED
from components.evaluator.ranking_metrics import CALIBRATION_CURVE, IMPRESSIONS, METRICS
from transforms.input_error import InputError
from transforms.item_stats import NEW_ITEM_GROUP

CANDIDATE = tfma.CANDIDATE_KEY
NEW = "new"
VERDICT_FILE = "verdict.json"


def load_results(folder: str) -> dict[str, Any]:
    """Loads a `ModelEvaluation` artifact into plain values.

    Args:
        folder: the artifact's folder or URI.
    Returns:
        `{"auc", "gauc", "logloss", "calibration", "impressions",
        "groups": [{"group": 1 … 8 or "new", …the same five…}, …],
        "baseline", "last_blessed": {…the same five…, "groups"} or None where there was no such model,
        "calibration_plot": [{"predicted", "observed", "impressions"}, …] from low to high predictions,
        "validation": {"ok": bool, "reasons": [one line for each thing that was missed]}}`.
        A metric that is not defined (NaN) is None.
    Raises:
        InputError: if the evaluation saw no impression.
    """
    with fileio.open(f"{folder}/{VERDICT_FILE}", "rb") as stream:
        verdict = json.loads(stream.read())
    return {**load_metrics(folder), "validation": verdict}


def load_metrics(folder: str) -> dict[str, Any]:
    """Loads the metrics alone: all of `load_results` but the verdict, which is made from them.

    Arguments, values and errors as there.
    """
    # Names stand only where several models were evaluated.
    _, _, _, models = eval_config_writer.load_eval_run(folder)
    several = len(models) > 1
    slices = _slices(folder, CANDIDATE if several else "")
    return {
        **_model(slices),
        **{name: _model(_slices(folder, name)) if name in models else None for name in COMPARED},
        "calibration_plot": _calibration_plot(slices[()][CALIBRATION_CURVE]["arrayValue"]),
    }


def _slices(folder: str, model: str) -> dict[tuple, dict[str, Any]]:
    """TFMA's values by slice key: () is all impressions, ((feature, value),) one group."""
    result = tfma.load_eval_result(folder, model_name=model)
    slices = {key: metrics[""][""] for key, metrics in result.slicing_metrics}
    if () not in slices:
        raise InputError(
            f"evaluation {folder}: expected at least one impression in the evaluated split, got none"
        )
    return slices


def _model(slices: Mapping[tuple, Mapping[str, Any]]) -> dict[str, Any]:
    groups = [
        {"group": NEW if key[0][1] == NEW_ITEM_GROUP else key[0][1], **_metrics(slices[key])}
        for key in sorted(slices)
        if key
    ]
    return {**_metrics(slices[()]), "groups": groups}


def _metrics(values: Mapping[str, Mapping[str, Any]]) -> dict[str, float | int | None]:
    named = {name: _number(values[name]["doubleValue"]) for name in METRICS}
    return {**named, IMPRESSIONS: int(values[IMPRESSIONS]["doubleValue"])}


def _number(value: Any) -> float | None:
    """A value of a proto's JSON form, where NaN is a string."""
    number = float(value)
    return None if math.isnan(number) else number


def _calibration_plot(array: Mapping[str, Any]) -> list[dict[str, float | int]]:
    points = np.reshape(array["float64Values"], (-1, 3)).tolist()
    return [
        {"predicted": predicted, "observed": observed, "impressions": int(count)}
        for predicted, observed, count in points
    ]
