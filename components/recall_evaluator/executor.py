"""What the RecallEvaluator component does."""

import json
from typing import Any

import numpy as np
import tensorflow as tf
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import json_utils, path_utils

from components.evaluator.blessing import write_blessing
from components.recall_evaluator.config import RecallEvaluatorConfig
from components.recall_evaluator.gate import find_faults
from components.recall_evaluator.measurement import RecallMeasurement, measure
from components.recall_evaluator.recall_inputs import CatalogItems, HeldOutUsers
from components.recall_evaluator.recall_vectors import RecallVectors
from components.recall_evaluator.saved_recall import SavedRecall
from transforms.configuration import from_json

METRICS_FILE = "metrics.json"


class Executor(base_executor.BaseExecutor):
    """Measures the model and the last blessed one on the same clicks, blesses or refuses."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes `metrics.json`, the vectors and the blessing.

        Args:
            input_dict: `examples`, `catalog`, `item_stats`, `model`, one artifact each; `last_blessed`, at most one.
            output_dict: `evaluation`, `vectors`, `blessing`, one artifact each.
            exec_properties: `config` and `splits`, as JSON.
        Raises:
            InputError: the catalog or the splits are empty.
        """
        config = from_json(RecallEvaluatorConfig, exec_properties["config"])
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        folders = [
            artifact_utils.get_split_uri([examples], split)
            for split in json_utils.loads(exec_properties["splits"])
        ]
        catalog = artifact_utils.get_single_uri(input_dict["catalog"])
        item_stats = artifact_utils.get_single_uri(input_dict["item_stats"])

        def measure_model(artifact: types.Artifact) -> tuple[CatalogItems, HeldOutUsers, RecallMeasurement]:
            saved = tf.saved_model.load(path_utils.serving_model_path(artifact.uri))
            recall = SavedRecall(saved.signatures)
            items = CatalogItems.read(catalog, item_stats, recall.item_specs)
            users = HeldOutUsers.read(folders, items, recall.user_specs, config.max_clicks, config.seed)
            return items, users, measure(recall, users, items, config)

        model = artifact_utils.get_single_instance(input_dict["model"])
        items, users, measured = measure_model(model)
        last_blessed = input_dict.get("last_blessed") or []
        last_figures = measure_model(last_blessed[0])[2].figures if last_blessed else None
        faults = find_faults(measured.figures, last_figures, config)
        figures = {
            **measured.figures,
            "last_blessed": last_figures,
            "validation": {"ok": not faults, "reasons": faults},
        }
        self._write(artifact_utils.get_single_uri(output_dict["evaluation"]), figures)
        known = users.items >= 0
        RecallVectors(
            items.item_ids,
            measured.item_vectors,
            measured.user_vectors[known],
            users.items[known].astype(np.int64),
        ).write(artifact_utils.get_single_uri(output_dict["vectors"]))
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        write_blessing(blessing, model, last_blessed, not faults)

    def _write(self, folder: str, figures: dict[str, Any]) -> None:
        fileio.makedirs(folder)
        with fileio.open(f"{folder}/{METRICS_FILE}", "wb") as stream:
            stream.write(json.dumps(figures, indent=2, allow_nan=False).encode())
