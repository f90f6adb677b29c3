"""What the EncoderEvaluator component does."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from absl import logging
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.encoder_evaluator.config import EncoderEvaluatorConfig
from components.encoder_evaluator.embedded_pairs import EmbeddedPairs
from components.encoder_evaluator.examples import COLUMNS as EXAMPLE_COLUMNS
from components.encoder_evaluator.examples import SCHEMA, collect_examples, pick_pairs
from components.encoder_evaluator.measurement import accuracies, find_faults, measure, rank_pairs, unmeasured
from components.encoder_evaluator.pair_index import PairIndex
from components.encoder_evaluator.saved_encoder import SavedEncoder
from components.evaluator.blessing import write_blessing
from models.encoder.query_pairs import COLUMNS, ITEM_ID, read_batches
from models.parquet_files import list_files
from transforms.configuration import from_json
from transforms.input_error import InputError
from transforms.time_splits import SPLITS

HISTORY_FILE = "history.json"
METRICS_FILE = "metrics.json"
EXAMPLES_FILE = "examples.parquet"


class Executor(base_executor.BaseExecutor):
    """Encodes the test pairs, measures, blesses or refuses."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes `metrics.json`, `examples.parquet` and the blessing.

        Args:
            input_dict: `model`, `model_run`, `query_pairs`, one artifact each; `baseline_model`, at most one.
            output_dict: `evaluation`, `blessing`, one artifact each.
            exec_properties: `modality`, and `config` as JSON.
        Raises:
            InputError: the test split has no pair of the modality.
        """
        modality = exec_properties["modality"]
        config = from_json(EncoderEvaluatorConfig, exec_properties["config"])
        pairs = _TestPairs(
            artifact_utils.get_single_uri(input_dict["query_pairs"]), modality, config.batch_size
        )
        model = artifact_utils.get_single_instance(input_dict["model"])
        baseline_models = input_dict.get("baseline_model") or []

        embedded = pairs.encode(model)
        reasons = [problem] if (problem := embedded.problem()) else []
        baseline = None
        examples = SCHEMA.empty_table()
        if reasons:
            figures = unmeasured()
        else:
            ranks = rank_pairs(embedded, pairs.index)
            figures = measure(embedded, pairs.index, ranks, config.seed)
            picked = pick_pairs(ranks, config.examples, config.seed)
            examples = collect_examples(picked, embedded, pairs.index, pairs.read(EXAMPLE_COLUMNS))
            del embedded  # makes room for the baseline's
            baseline = _measure_baseline(pairs, baseline_models)
            reasons = find_faults(figures, baseline, config)

        history = _read_json(f"{artifact_utils.get_single_uri(input_dict['model_run'])}/{HISTORY_FILE}")
        metrics = {
            "modality": modality,
            "method": history["method"],
            "pairs": len(pairs.index.positives),
            "candidates": len(pairs.index.item_ids),
            **figures,
            "temperature": history["temperature"],
            "bank_age_steps": history["bank"]["age_steps"] if history["bank"] else None,
            "baseline": baseline,
            "blessed": not reasons,
            "reasons": reasons,
        }
        _write(artifact_utils.get_single_uri(output_dict["evaluation"]), metrics, examples)
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        write_blessing(blessing, model, baseline_models, not reasons)


class _TestPairs:
    """The pairs of the test split, read as often as they are needed and never whole in memory."""

    def __init__(self, uri: str, modality: str, batch_size: int):
        self.modality = modality
        self.batch_size = batch_size
        self.files = list_files(f"{uri}/Split-{SPLITS[-1]}")
        query, positive, _ = COLUMNS[modality]
        self.columns = (query, positive, ITEM_ID)
        self.index = PairIndex.build(self.read(self.columns), modality)
        if not len(self.index.positives):
            raise InputError(
                f"query_pairs: the {SPLITS[-1]} split has no {modality} pair, one with {query} and {positive}, "
                f"so there is nothing to measure the {modality} encoder with"
            )

    def read(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for batch in read_batches(self.files, self.modality, columns):
            for start in range(0, batch.num_rows, self.batch_size):
                yield batch.slice(start, self.batch_size)

    def encode(self, model: types.Artifact) -> EmbeddedPairs:
        encoder = SavedEncoder(path_utils.serving_model_path(model.uri), self.modality)
        return EmbeddedPairs.encode(encoder, self.index, self.read(self.columns), self.modality)


def _measure_baseline(pairs: _TestPairs, models: list[types.Artifact]) -> dict[str, float | None] | None:
    """The last blessed encoder's accuracies on the same pairs; None values where its vectors are no good."""
    if not models:
        return None
    embedded = pairs.encode(models[0])
    if problem := embedded.problem():
        logging.warning("The last blessed encoder cannot be compared with: %s.", problem)
        return dict.fromkeys(("acc@1", "acc@5"))
    return accuracies(rank_pairs(embedded, pairs.index))


def _read_json(path: str) -> dict[str, Any]:
    with fileio.open(path, "rb") as stream:
        return json.loads(stream.read())


def _write(uri: str, metrics: dict[str, Any], examples: pa.Table) -> None:
    fileio.makedirs(uri)
    parquet = pa.BufferOutputStream()
    pq.write_table(examples, parquet)
    with fileio.open(f"{uri}/{EXAMPLES_FILE}", "wb") as stream:
        stream.write(parquet.getvalue().to_pybytes())
    with fileio.open(f"{uri}/{METRICS_FILE}", "wb") as stream:
        stream.write(json.dumps(metrics, indent=2, allow_nan=False).encode())
