"""What the IndexBuilder component does."""

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from tfx import types
from tfx.components.evaluator import constants
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from components.evaluator.blessing import write_blessing
from components.index_builder.measurement import measure_index
from components.recall_evaluator.recall_vectors import RecallVectors
from serving.retrieval.build_index import build_index
from serving.retrieval.config import IndexConfig
from serving.retrieval.vector_index import VectorIndex
from transforms.configuration import from_json
from transforms.input_error import InputError

METRICS_FILE = "metrics.json"
# TensorFlow leaves this folder of a SavedModel to others, and servers copy and load it along with the model.
INDEX_FOLDER = "assets.extra/index"


class Executor(base_executor.BaseExecutor):
    """Builds the index of a blessed model's item vectors, measures it, and puts it beside the model."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the model with its index, `metrics.json` and the blessing.

        Nothing is built for a model that was not blessed, and nothing blessed where the index finds too little;
        `metrics.json` says why.

        Args:
            input_dict: `vectors`, `model`, `model_blessing`, one artifact each.
            output_dict: `indexed_model`, `evaluation`, `blessing`, one artifact each.
            exec_properties: `config` as JSON, `k` and `num_retrieved`.
        """
        config = from_json(IndexConfig, exec_properties["config"])
        vectors = RecallVectors.read(artifact_utils.get_single_uri(input_dict["vectors"]))
        model = artifact_utils.get_single_instance(input_dict["model"])
        indexed_model = artifact_utils.get_single_uri(output_dict["indexed_model"])
        figures: dict[str, Any] = {"items": len(vectors.items)}
        index, fault = _build(input_dict["model_blessing"][0], vectors, config)
        if index is not None:
            ks = sorted({exec_properties["k"], exec_properties["num_retrieved"]})
            figures |= measure_index(index, vectors, ks)
            _save(model.uri, indexed_model, index)
        figures["validation"] = {"ok": fault is None, "reasons": [] if fault is None else [fault]}
        folder = artifact_utils.get_single_uri(output_dict["evaluation"])
        fileio.makedirs(folder)
        with fileio.open(f"{folder}/{METRICS_FILE}", "wb") as stream:
            stream.write(json.dumps(figures, indent=2, allow_nan=False).encode())
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        # Of the trained model, so that the next run finds it as the last one that was fit to be pushed.
        write_blessing(blessing, model, [], fault is None)


def _build(
    model_blessing: types.Artifact, vectors: RecallVectors, config: IndexConfig
) -> tuple[VectorIndex | None, str | None]:
    """The index, or why there is none."""
    if (
        model_blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY)
        != constants.BLESSED_VALUE
    ):
        return None, "the model was not blessed, so that no index was built"
    queries = vectors.users if len(vectors.users) else None
    try:
        index = build_index(vectors.item_ids.to_pylist(), vectors.items, _version(vectors), config, queries)
    except InputError as error:
        return None, str(error)
    return index, None


def _version(vectors: RecallVectors) -> str:
    """The same for the same items and vectors, and for no others."""
    digest = hashlib.sha256(np.ascontiguousarray(vectors.items).data)
    for item_id in vectors.item_ids.to_pylist():
        digest.update(item_id.encode() + b"\n")
    return digest.hexdigest()[:16]


def _save(source: str, target: str, index: VectorIndex) -> None:
    """A copy of the model with the index in it, so that the two are pushed, and taken back, together."""
    serving = path_utils.serving_model_dir(target)
    io_utils.copy_dir(path_utils.serving_model_path(source), serving)
    with tempfile.TemporaryDirectory() as folder:
        index.save(Path(folder))
        io_utils.copy_dir(folder, f"{serving}/{INDEX_FOLDER}")
