"""What the CtrTrainer component does."""

import json
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import path_utils

from models.ctr.config import CtrConfig
from models.ctr.dataset import read_examples
from models.ctr.model import CtrModel
from models.ctr.trainer import train
from serving.signatures import save_ctr_model
from transforms.configuration import from_json
from transforms.feature import model_features
from transforms.ingest_config import IngestConfig
from transforms.preprocessing import LABEL, table_rows

HISTORY_FILE = "history.json"


class Executor(base_executor.BaseExecutor):
    """Trains on the train split, takes the loss of the eval split, exports."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the model and the history of its training.

        Args:
            input_dict: `examples`, `transform_graph`, one artifact each.
            output_dict: `model`, `model_run`, one artifact each.
            exec_properties: `ingest` and `config`, as JSON.
        Raises:
            InputError: the loss is not finite.
        """
        ingest = from_json(IngestConfig, exec_properties["ingest"])
        config = from_json(CtrConfig, exec_properties["config"])
        transform_output = tft.TFTransformOutput(artifact_utils.get_single_uri(input_dict["transform_graph"]))
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        features = model_features(ingest.features)
        sizes = {f.name: table_rows(f, transform_output) for f in features if f.kind != "numeric"}
        model = CtrModel(features, sizes, config)

        raw_spec = transform_output.raw_feature_spec()
        transform_layer = transform_output.transform_features_layer()

        def split(name: str) -> tf.data.Dataset:
            pattern = f"{artifact_utils.get_split_uri([examples], name)}/*"
            return read_examples(pattern, raw_spec, LABEL, config.batch_size, transform_layer)

        history = {"model": "id"} | train(model, split("train"), config, eval_dataset=split("eval"))
        self._write_history(artifact_utils.get_single_uri(output_dict["model_run"]), history)
        serving_uri = path_utils.serving_model_dir(artifact_utils.get_single_uri(output_dict["model"]))
        save_ctr_model(model, transform_layer, raw_spec, features, ingest.max_behaviors, serving_uri)

    def _write_history(self, uri: str, history: dict) -> None:
        fileio.makedirs(uri)
        with fileio.open(f"{uri}/{HISTORY_FILE}", "wb") as stream:
            stream.write(json.dumps(history, indent=2).encode())
