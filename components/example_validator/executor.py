"""What the ExampleValidator component does."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2
from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatisticsList
from tfx import types
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils, json_utils, writer_utils

from components.example_validator.comparison import drift, skew
from transforms.time_splits import SPLITS

STATISTICS = "statistics"
PREVIOUS_STATISTICS = "previous_statistics"
SCHEMA = "schema"
ANOMALIES = "anomalies"
SKEW_THRESHOLD = "skew_threshold"
DRIFT_THRESHOLD = "drift_threshold"
IGNORE_FEATURES = "ignore_features"

REPORT = "anomalies.json"
# Split-<name>/SchemaDiff.pb is where TFX's own tools look for the anomalies of a split.
_FILE = "SchemaDiff.pb"
_FOLDERS = {"schema": "Split", "skew": "Skew", "drift": "Drift"}
_BLESSED = "blessed"
_TRAINING = SPLITS[0]


class Executor(base_executor.BaseExecutor):
    """Validates each split against the schema, compares the splits, and training with that of the day before."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the anomalies.

        Args:
            input_dict: `statistics`, one artifact with the splits train, eval and test, and `schema`; at most one
                of `previous_statistics`.
            output_dict: `anomalies`.
            exec_properties: `skew_threshold` and `drift_threshold` (float), `ignore_features` (a JSON list).
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        source = artifact_utils.get_single_instance(input_dict[STATISTICS])
        schema_folder = artifact_utils.get_single_uri(input_dict[SCHEMA])
        schema = io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(schema_folder))
        statistics = {split: _load(source, split) for split in SPLITS}
        previous = input_dict.get(PREVIOUS_STATISTICS) or []
        output = artifact_utils.get_single_instance(output_dict[ANOMALIES])

        records: list[dict[str, str]] = []
        drifts = _between_days(previous[0], source) if previous else _between_splits(statistics)
        for finding in _findings(schema, statistics, drifts, exec_properties):
            path = os.path.join(output.uri, f"{_FOLDERS[finding.kind]}-{finding.split}", _FILE)
            writer_utils.write_anomalies(path, finding.anomalies)
            records += _records(finding)
        io_utils.write_string_file(os.path.join(output.uri, REPORT), json.dumps(records, indent=2))

        against_schema = {record["split"] for record in records if record["kind"] == "schema"}
        blessed = {split: int(split not in against_schema) for split in SPLITS}
        output.set_json_value_custom_property(_BLESSED, blessed)
        output.split_names = artifact_utils.encode_split_names(list(SPLITS))
        output.span = source.span


class _Finding(NamedTuple):
    kind: str
    split: str
    anomalies: anomalies_pb2.Anomalies
    compared: str = ""


class _Pair(NamedTuple):
    """What is compared for drift: the statistics before and after, and what they are called."""

    split: str
    before: DatasetFeatureStatisticsList
    after: DatasetFeatureStatisticsList
    compared: str


def _findings(
    schema: schema_pb2.Schema,
    statistics: Mapping[str, DatasetFeatureStatisticsList],
    drifts: Iterable[_Pair],
    exec_properties: Mapping[str, Any],
) -> Iterator[_Finding]:
    ignored = json_utils.loads(exec_properties[IGNORE_FEATURES])
    for split in SPLITS:
        yield _Finding("schema", split, tfdv.validate_statistics(statistics[split], schema))
    for split in SPLITS[1:]:
        pair = statistics[_TRAINING], statistics[split]
        anomalies = skew(schema, *pair, exec_properties[SKEW_THRESHOLD], ignored)
        yield _Finding("skew", split, anomalies, f"{_TRAINING} (training) against {split} (serving): ")
    for found in drifts:
        anomalies = drift(schema, found.before, found.after, exec_properties[DRIFT_THRESHOLD], ignored)
        yield _Finding("drift", found.split, anomalies, found.compared)


def _between_splits(statistics: Mapping[str, DatasetFeatureStatisticsList]) -> Iterator[_Pair]:
    for previous, split in pairwise(SPLITS):
        compared = f"{split} (current) against {previous} (previous): "
        yield _Pair(split, statistics[previous], statistics[split], compared)


def _between_days(previous: types.Artifact, current: types.Artifact) -> Iterator[_Pair]:
    """What was trained on against what was trained on the day before.

    What follows training is the next day, which has a run of its own: skew says already how it differs.
    """
    compared = f"{_day(current)} (current) against {_day(previous)} (previous), {_TRAINING}: "
    yield _Pair(_TRAINING, _load(previous, _TRAINING), _load(current, _TRAINING), compared)


def _load(statistics: types.Artifact, split: str) -> DatasetFeatureStatisticsList:
    return stats_artifact_utils.load_statistics(statistics, split).proto()


def _day(artifact: types.Artifact) -> str:
    return (date(1970, 1, 1) + timedelta(days=artifact.span)).isoformat()


def _records(finding: _Finding) -> Iterator[dict[str, str]]:
    infos = sorted(finding.anomalies.anomaly_info.items())
    if finding.anomalies.HasField("dataset_anomaly_info"):
        infos.append(("", finding.anomalies.dataset_anomaly_info))  # of the split as a whole and no feature
    for feature, info in infos:
        yield {
            "split": finding.split,
            "kind": finding.kind,
            "feature": feature,
            "short": info.short_description,
            "description": finding.compared + info.description.strip(),
        }
