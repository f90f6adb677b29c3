"""What the RecallTrainer component does."""

import json
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.recall_trainer.training import RecallSources, train_recall
from models.recall.config import RecallConfig
from serving.embedding_index.embedding_files import encoder_fingerprint
from serving.model_description import write_description
from serving.recall_signatures import save_recall_model
from serving.warm_up_requests import write_warm_up_requests
from transforms.configuration import from_json
from transforms.ingest_config import IngestConfig

HISTORY_FILE = "history.json"


class Executor(base_executor.BaseExecutor):
    """Trains on the clicks of the train split, exports."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the model and the history of its training.

        Args:
            input_dict: `examples`, `transform_graph`, `item_stats`, and by the fusion `embeddings`, one artifact
                each.
            output_dict: `model`, `model_run`, one artifact each.
            exec_properties: `ingest` and `config`, as JSON.
        Raises:
            InputError: a modality has no embedding, or the loss is not finite.
        """
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        embeddings = input_dict.get("embeddings")
        sources = RecallSources(
            artifact_utils.get_split_uri([examples], "train"),
            artifact_utils.get_single_uri(input_dict["transform_graph"]),
            artifact_utils.get_single_uri(input_dict["item_stats"]),
            artifact_utils.get_single_uri(embeddings) if embeddings else None,
            from_json(IngestConfig, exec_properties["ingest"]),
        )
        config = from_json(RecallConfig, exec_properties["config"])
        module, history = train_recall(sources, config)
        folder = artifact_utils.get_single_uri(output_dict["model_run"])
        fileio.makedirs(folder)
        with fileio.open(f"{folder}/{HISTORY_FILE}", "wb") as stream:
            stream.write(json.dumps(history, indent=2).encode())
        serving_uri = path_utils.serving_model_dir(artifact_utils.get_single_uri(output_dict["model"]))
        save_recall_model(module, serving_uri)
        write_description(serving_uri, _describe(sources.embeddings, config))
        write_warm_up_requests(serving_uri)


def _describe(embeddings: str | None, config: RecallConfig) -> dict[str, Any]:
    """What a release has to know, also when another run made it."""
    encoders = {}
    if config.uses_content and embeddings is not None:
        encoders = {
            modality: encoder_fingerprint(embeddings, modality) for modality in config.modalities or ()
        }
    return {"model": config.fusion, "encoders": encoders}
