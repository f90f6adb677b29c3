"""What the EncoderTrainer component does."""

import dataclasses
import hashlib
import json
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.with_all_workers import with_all_workers
from models.distribution.strategy import is_chief, open_strategy
from models.encoder.checkpoints import Checkpoints
from models.encoder.config import EncoderConfig, ImageEncoderConfig, TextEncoderConfig
from models.parquet_files import list_files
from serving.batching_file import write_batching_file
from serving.encoder_signatures import save_encoder
from serving.model_description import write_description
from serving.warm_up_requests import write_warm_up_requests
from transforms.configuration import from_json, to_json

HISTORY_FILE = "history.json"
LOG_DIR = "tensorboard"
CONFIGS: dict[str, type[ImageEncoderConfig] | type[TextEncoderConfig]] = {
    "image": ImageEncoderConfig,
    "text": TextEncoderConfig,
}


class Executor(base_executor.BaseExecutor):
    """Trains on the train split, looks at the eval split on the way, exports the best."""

    @with_all_workers
    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the model, the history of its training and TensorBoard's logs.

        Args:
            input_dict: `query_pairs`, one artifact.
            output_dict: `model`, `model_run`, one artifact each.
            exec_properties: `modality`, `config` as JSON, `checkpoints`.
        Raises:
            InputError: no training pairs of the modality, no such backbone, or a loss that is not finite.
        """
        # Not above, for KerasCV and KerasHub take seconds to load, and every stage of a run in containers wires all
        # components and so loads this module.
        from models.encoder.trainer import train_encoder

        modality = exec_properties["modality"]
        config = from_json(CONFIGS[modality], exec_properties["config"])
        pairs = artifact_utils.get_single_instance(input_dict["query_pairs"])
        files = {split: list_files(f"{pairs.uri}/Split-{split}") for split in ("train", "eval")}
        run_uri = artifact_utils.get_single_uri(output_dict["model_run"])
        checkpoints = Checkpoints(checkpoint_folder(exec_properties, config, pairs.uri))
        encoder, history = train_encoder(
            config, files["train"], files["eval"], checkpoints, f"{run_uri}/{LOG_DIR}"
        )
        if not is_chief(open_strategy(config.strategy)):
            return  # it has nothing to leave, and the checkpoints are the chief's
        self._write_history(run_uri, history)
        model = artifact_utils.get_single_instance(output_dict["model"])
        serving_uri = path_utils.serving_model_dir(model.uri)
        description = save_encoder(encoder, config.method, model.uri, serving_uri)
        write_description(serving_uri, description)
        write_warm_up_requests(serving_uri)
        write_batching_file(serving_uri)
        checkpoints.remove()

    def _write_history(self, uri: str, history: dict[str, Any]) -> None:
        fileio.makedirs(uri)
        with fileio.open(f"{uri}/{HISTORY_FILE}", "wb") as stream:
            stream.write(json.dumps(history, indent=2).encode())


def checkpoint_folder(exec_properties: dict[str, Any], config: EncoderConfig, pairs_uri: str) -> str:
    """A folder for this training: the same pairs and configuration go on, others begin anew.

    On how many devices and machines a training runs is no part of what it comes to.
    """
    recipe = to_json(dataclasses.replace(config, strategy="none"))
    digest = hashlib.sha256(f"{pairs_uri}\n{recipe}".encode()).hexdigest()[:16]
    return f"{exec_properties['checkpoints']}/{exec_properties['modality']}-{digest}"
