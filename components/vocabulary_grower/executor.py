"""What the VocabularyGrower component does."""

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow_transform as tft
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import io_utils
from tfx_bsl.tfxio import tf_example_record

from transforms.configuration import from_json
from transforms.count_ids import CountIds
from transforms.feature import Feature, model_features
from transforms.grow_vocabulary import new_ids
from transforms.ingest_config import IngestConfig
from transforms.input_error import InputError
from transforms.preprocessing import BEHAVIOR_COLUMNS
from transforms.time_splits import SPLITS
from transforms.write_parquet import WriteParquet

_COUNTS = "counts"


class Executor(base_beam_executor.BaseBeamExecutor):
    """Copies a transform graph and appends new ids to its vocabularies."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the grown graph.

        Args:
            input_dict: `examples` and `known_graph`, one artifact each.
            output_dict: `transform_graph`, one artifact.
            exec_properties: `ingest`.
        Raises:
            InputError: there is no graph of the day before, or it lacks a configured feature.
        """
        config = from_json(IngestConfig, exec_properties["ingest"])
        if not input_dict.get("known_graph"):
            raise InputError("vocabularies grow from the transform graph of the day before; got none")
        known = artifact_utils.get_single_uri(input_dict["known_graph"])
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        grown = artifact_utils.get_single_instance(output_dict["transform_graph"])
        io_utils.copy_dir(known, grown.uri)
        features = [feature for feature in model_features(config.features) if feature.kind == "id"]
        self._count(artifact_utils.get_split_uri([examples], SPLITS[0]), grown.uri, features)
        for feature in features:
            grow(grown.uri, feature)
        fileio.rmtree(f"{grown.uri}/{_COUNTS}")

    def _count(self, examples: str, graph: str, features: list[Feature]) -> None:
        columns = {
            feature.name: (
                feature.name,
                *([f"behavior_{feature.name}"] if feature.name in BEHAVIOR_COLUMNS else []),
            )
            for feature in features
        }
        source = tf_example_record.TFExampleRecord(f"{examples}/*", schema=_schema(columns.values()))
        with self._make_beam_pipeline() as pipeline:
            _ = (
                pipeline
                | "ReadExamples" >> source.BeamSource()
                | "CountIds" >> CountIds(columns)
                | "WriteCounts" >> WriteParquet(f"{graph}/{_COUNTS}", lambda key: "{}/{:05d}".format(*key))
            )


def _schema(columns: Iterable[tuple[str, ...]]) -> schema_pb2.Schema:
    """Of the columns that are counted alone; the others need not be decoded."""
    schema = schema_pb2.Schema()
    for name in sorted(name for names in columns for name in names):
        schema.feature.add(name=name, type=schema_pb2.BYTES)
    return schema


def grow(graph: str, feature: Feature) -> None:
    """Appends a feature's new ids to its vocabulary within a graph, by the counts that lie there."""
    path = tft.TFTransformOutput(graph).vocabulary_file_by_name(feature.name)
    if path is None:
        raise InputError(
            f"ingest.features names {feature.name}, and the transform graph of the day before has no vocabulary "
            "of it; a run with other features needs a ROOT of its own"
        )
    with fileio.open(path, "rb") as stream:
        known = stream.read().splitlines()
    added = new_ids(_read_counts(f"{graph}/{_COUNTS}/{feature.name}"), known, feature.min_count)
    if added:
        # Written anew as a whole: not every filesystem can append.
        with fileio.open(path, "wb") as stream:
            stream.write(b"".join(entry + b"\n" for entry in (*known, *added)))


def _read_counts(folder: str) -> list[pa.RecordBatch]:
    batches = []
    for path in sorted(fileio.glob(f"{folder}/*.parquet")):
        with fileio.open(path, "rb") as stream:
            batches += pq.read_table(pa.BufferReader(stream.read())).to_batches()
    return batches
