"""What the RecallTrainer component does."""

import json
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.click_base import find_base, find_encoders
from components.click_checkpoints import end_checkpoints, open_checkpoints
from components.recall_trainer.training import RecallSources, train_recall
from components.with_all_workers import with_all_workers
from models.continuation.training_state import FOLDER
from models.recall.config import RecallConfig
from serving.model_description import write_description
from serving.recall_signatures import save_recall_model
from serving.warm_up_requests import write_warm_up_requests
from transforms.configuration import from_json
from transforms.ingest_config import IngestConfig

HISTORY_FILE = "history.json"


class Executor(base_executor.BaseExecutor):
    """Trains on the clicks of the train split, exports."""

    @with_all_workers
    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the model and the history of its training.

        Args:
            input_dict: `examples`, `transform_graph`, `item_stats`, and by the fusion `embeddings`, one artifact
                each; at most one `base` and, with it, `earlier_stats`.
            output_dict: `model`, `model_run`, one artifact each.
            exec_properties: `ingest` and `config`, as JSON; `resumable`, 1 where the model keeps what training
                needs to go on from it; `checkpoints`, a folder, where the training is to go on after a kill.
        Raises:
            InputError: a modality has no embedding, the base is another model, or the loss is not finite.
        """
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        embeddings, earlier_stats = input_dict.get("embeddings"), input_dict.get("earlier_stats")
        sources = RecallSources(
            artifact_utils.get_split_uri([examples], "train"),
            artifact_utils.get_single_uri(input_dict["transform_graph"]),
            artifact_utils.get_single_uri(input_dict["item_stats"]),
            artifact_utils.get_single_uri(embeddings) if embeddings else None,
            from_json(IngestConfig, exec_properties["ingest"]),
            earlier_stats[0].uri if earlier_stats else None,
        )
        config = from_json(RecallConfig, exec_properties["config"])
        encoders = find_encoders(embeddings, config.modalities or () if config.uses_content else ())
        base = find_base(input_dict.get("base"))
        model_uri = artifact_utils.get_single_uri(output_dict["model"])
        state_folder = f"{model_uri}/{FOLDER}" if exec_properties.get("resumable") else None
        checkpoints = open_checkpoints("recall", input_dict, exec_properties, config)
        module, history = train_recall(sources, config, base, encoders, state_folder, checkpoints)
        folder = artifact_utils.get_single_uri(output_dict["model_run"])
        fileio.makedirs(folder)
        with fileio.open(f"{folder}/{HISTORY_FILE}", "wb") as stream:
            stream.write(json.dumps(history, indent=2).encode())
        serving_uri = path_utils.serving_model_dir(model_uri)
        save_recall_model(module, serving_uri)
        write_description(serving_uri, {"model": config.fusion, "encoders": encoders})
        write_warm_up_requests(serving_uri)
        end_checkpoints(checkpoints, config.strategy)
