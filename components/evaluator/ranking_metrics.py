"""AUC, GAUC, LogLoss and calibration as a metric of TensorFlow Model Analysis."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import pyarrow as pa
from tensorflow_model_analysis.metrics import metric_types, metric_util
from tensorflow_model_analysis.proto import config_pb2

from components.evaluator.calibration_curve import calibration_curve
from models.metrics.auc import auc
from models.metrics.calibration import calibration
from models.metrics.gauc import gauc
from models.metrics.logloss import logloss

METRICS = ("auc", "gauc", "logloss", "calibration")
IMPRESSIONS = "impressions"
CALIBRATION_CURVE = "calibration_curve"

# Impressions that are held as Python objects before they become an Arrow record batch (about 30 bytes a row).
_BUFFER_ROWS = 4096
_SCHEMA = pa.schema([("user", pa.binary()), ("label", pa.int8()), ("prediction", pa.float64())])


class RankingMetrics(metric_types.Metric):
    """Measures `auc`, `gauc`, `logloss`, `calibration`, and `calibration_curve` over all `impressions` of a slice.

    GAUC needs a user's impressions together and AUC needs all of them, so nothing is averaged or bucketed:
    the combiner gathers (user, label, prediction) and the exact functions of `models.metrics` see the whole
    slice at once. All share that one gathering. A value that is not defined (one class alone, no user with
    both) is NaN, and a NaN passes no threshold.

    What TFMA hands over may be one impression or an array of many, as `group_batches_extractor` leaves them.

    In an EvalConfig: `class_name="RankingMetrics", module="components.evaluator.ranking_metrics"`, with
    thresholds under the metrics' names in the MetricsSpec.

    Args:
        user_key: the feature of the raw Examples that names the user.
        name: the name of the group of metrics; the values have names of their own.
    """

    def __init__(self, user_key: str = "user_id", name: str = "ranking_metrics") -> None:
        super().__init__(_computations, user_key=user_key, name=name)


def _computations(
    user_key: str,
    name: str,
    eval_config: config_pb2.EvalConfig | None = None,
    model_names: Sequence[str] = ("",),
) -> metric_types.MetricComputations:
    del name  # the keys are the metrics' own names
    return [
        metric_types.MetricComputation(
            keys=[_key(metric, model_name) for metric in _FUNCTIONS],
            preprocessors=[metric_types.FeaturePreprocessor(feature_keys=[user_key])],
            combiner=_RankingCombiner(user_key, model_name, eval_config),
        )
        for model_name in model_names
    ]


def _key(metric: str, model_name: str) -> metric_types.MetricKey:
    # Neither weighted nor unweighted: what TFMA looks for where a MetricsSpec names a metric with a threshold.
    return metric_types.MetricKey(name=metric, model_name=model_name, example_weighted=None)


class _Impressions(NamedTuple):
    """Impressions gathered so far: record batches, and the latest rows not yet in one."""

    batches: list[pa.RecordBatch]
    rows: list[tuple[bytes, int, float]]


class _RankingCombiner(beam.CombineFn):
    """Gathers a slice's impressions and measures them in the end."""

    def __init__(self, user_key: str, model_name: str, eval_config: config_pb2.EvalConfig | None) -> None:
        self._user_key = user_key
        self._model_name = model_name
        self._eval_config = eval_config

    def create_accumulator(self) -> _Impressions:
        return _Impressions([], [])

    def add_input(
        self, accumulator: _Impressions, element: metric_types.StandardMetricInputs
    ) -> _Impressions:
        labels, predictions, _ = next(
            metric_util.to_label_prediction_example_weight(
                element, eval_config=self._eval_config, model_name=self._model_name, flatten=False
            )
        )
        users = _users(element, self._user_key)
        columns = (users, labels.ravel().astype(int).tolist(), predictions.ravel().tolist())
        accumulator.rows.extend(zip(*columns, strict=True))
        return _pack(accumulator) if len(accumulator.rows) >= _BUFFER_ROWS else accumulator

    def merge_accumulators(self, accumulators: Iterable[_Impressions]) -> _Impressions:
        merged = self.create_accumulator()
        for accumulator in accumulators:
            merged.batches.extend(accumulator.batches)
            merged.rows.extend(accumulator.rows)
        return _pack(merged) if len(merged.rows) >= _BUFFER_ROWS else merged

    def compact(self, accumulator: _Impressions) -> _Impressions:
        return _pack(accumulator)

    def extract_output(self, accumulator: _Impressions) -> dict[metric_types.MetricKey, Any]:
        table = pa.Table.from_batches(_pack(accumulator).batches, schema=_SCHEMA).combine_chunks()
        users = table["user"].combine_chunks().dictionary_encode().indices.to_numpy()
        labels, predictions = table["label"].to_numpy(), table["prediction"].to_numpy()
        return {
            _key(metric, self._model_name): function(users, labels, predictions)
            for metric, function in _FUNCTIONS.items()
        }


_FUNCTIONS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], Any]] = {
    "auc": lambda users, labels, predictions: auc(labels, predictions),
    "gauc": gauc,
    "logloss": lambda users, labels, predictions: logloss(labels, predictions),
    "calibration": lambda users, labels, predictions: calibration(labels, predictions),
    IMPRESSIONS: lambda users, labels, predictions: len(labels),
    CALIBRATION_CURVE: lambda users, labels, predictions: calibration_curve(labels, predictions),
}


def _users(element: Any, user_key: str) -> list[bytes]:
    values = np.asarray(element.get_features().get(user_key)).ravel().tolist()
    if None in values:
        raise ValueError(f"each example must have one {user_key}, got {values}")
    return [value if isinstance(value, bytes) else str(value).encode() for value in values]


def _pack(accumulator: _Impressions) -> _Impressions:
    """Turns the rows into one record batch."""
    if not accumulator.rows:
        return accumulator
    values = zip(*accumulator.rows, strict=True)
    columns = [pa.array(column, field.type) for column, field in zip(values, _SCHEMA, strict=True)]
    return _Impressions([*accumulator.batches, pa.RecordBatch.from_arrays(columns, schema=_SCHEMA)], [])
