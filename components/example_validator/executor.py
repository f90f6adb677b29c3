"""What the ExampleValidator component does."""

import json
import os
from collections.abc import Iterator
from typing import Any

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx import types
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils, json_utils, writer_utils

from components.example_validator.comparison import drift, skew
from transforms.time_splits import SPLITS

STATISTICS = "statistics"
SCHEMA = "schema"
ANOMALIES = "anomalies"
SKEW_THRESHOLD = "skew_threshold"
DRIFT_THRESHOLD = "drift_threshold"
IGNORE_FEATURES = "ignore_features"

REPORT = "anomalies.json"
# Names and folders by which TFX's own tools find the anomalies of a split.
_FILE = "SchemaDiff.pb"
_BLESSED = "blessed"


class Executor(base_executor.BaseExecutor):
    """Validates each split against the schema and compares the splits."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the anomalies.

        Args:
            input_dict: `statistics`, one artifact with the splits train, eval and test, and `schema`.
            output_dict: `anomalies`.
            exec_properties: `skew_threshold` and `drift_threshold` (float), `ignore_features` (a JSON list).
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        source = artifact_utils.get_single_instance(input_dict[STATISTICS])
        schema_folder = artifact_utils.get_single_uri(input_dict[SCHEMA])
        schema = io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(schema_folder))
        output = artifact_utils.get_single_instance(output_dict[ANOMALIES])
        ignored = json_utils.loads(exec_properties[IGNORE_FEATURES])
        statistics = {split: stats_artifact_utils.load_statistics(source, split).proto() for split in SPLITS}

        records: list[dict[str, str]] = []
        blessed: dict[str, int] = {}
        for split in SPLITS:
            anomalies = tfdv.validate_statistics(statistics[split], schema)
            _write(output, f"Split-{split}", anomalies)
            found = list(_records(anomalies, split, "schema"))
            blessed[split] = int(not found)
            records += found
        training = SPLITS[0]
        for split in SPLITS[1:]:
            anomalies = skew(
                schema, statistics[training], statistics[split], exec_properties[SKEW_THRESHOLD], ignored
            )
            _write(output, f"Skew-{split}", anomalies)
            records += _records(anomalies, split, "skew", f"{training} (training) against {split} (serving): ")
        for previous, split in zip(SPLITS, SPLITS[1:], strict=False):
            anomalies = drift(
                schema, statistics[previous], statistics[split], exec_properties[DRIFT_THRESHOLD], ignored
            )
            _write(output, f"Drift-{split}", anomalies)
            records += _records(anomalies, split, "drift", f"{split} (current) against {previous} (previous): ")

        io_utils.write_string_file(os.path.join(output.uri, REPORT), json.dumps(records, indent=2))
        output.split_names = artifact_utils.encode_split_names(list(SPLITS))
        output.span = source.span
        output.set_json_value_custom_property(_BLESSED, blessed)


def _write(output: types.Artifact, folder: str, anomalies: anomalies_pb2.Anomalies) -> None:
    writer_utils.write_anomalies(os.path.join(output.uri, folder, _FILE), anomalies)


def _records(
    anomalies: anomalies_pb2.Anomalies, split: str, kind: str, prefix: str = ""
) -> Iterator[dict[str, str]]:
    infos = sorted(anomalies.anomaly_info.items())
    if anomalies.HasField("dataset_anomaly_info"):
        infos.append(("", anomalies.dataset_anomaly_info))  # of the split as a whole and no feature
    for feature, info in infos:
        yield {
            "split": split,
            "kind": kind,
            "feature": feature,
            "short": info.short_description,
            "description": prefix + info.description.strip(),
        }
