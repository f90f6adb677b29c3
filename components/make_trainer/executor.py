"""What the MakeTrainer component does."""

import json
from typing import Any

import tensorflow as tf
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from models.content.item_embeddings import ItemEmbeddings
from models.content.item_index import ItemIndex
from models.make.config import MakeConfig
from models.make.model import MakeModel
from models.make.trainer import read_rows, train_make
from models.make.weights import dump_weights
from transforms.configuration import from_json

WEIGHTS_FILE = "make.npz"
HISTORY_FILE = "history.json"


class Executor(base_executor.BaseExecutor):
    """Trains on the train split, measures the eval split after each epoch, keeps the extractor's weights."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the weights and the history of the training.

        Args:
            input_dict: `examples`, `embeddings`, one artifact each.
            output_dict: `make`, `model_run`, one artifact each.
            exec_properties: `config` as JSON, `modalities` with commas between, `max_behaviors`.
        Raises:
            InputError: a modality has no embedding, or the loss is not finite.
        """
        config = from_json(MakeConfig, exec_properties["config"])
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        embeddings = ItemEmbeddings.read(
            artifact_utils.get_single_uri(input_dict["embeddings"]), exec_properties["modalities"].split(",")
        )
        index = ItemIndex(embeddings.item_ids, embeddings.rows, exec_properties["max_behaviors"])
        model = MakeModel(embeddings.shapes, config)
        model.embeddings.assign(embeddings.vectors)

        def split(name: str) -> tf.data.Dataset:
            pattern = f"{artifact_utils.get_split_uri([examples], name)}/*"
            return read_rows(pattern, index, config.batch_size)

        history = {"model": "make"} | train_make(model, split("train"), config, split("eval"))
        run_uri = artifact_utils.get_single_uri(output_dict["model_run"])
        _write(run_uri, HISTORY_FILE, json.dumps(history, indent=2).encode())
        make_uri = artifact_utils.get_single_uri(output_dict["make"])
        _write(make_uri, WEIGHTS_FILE, dump_weights(model.extractor))


def _write(folder: str, name: str, data: bytes) -> None:
    fileio.makedirs(folder)
    with fileio.open(f"{folder}/{name}", "wb") as stream:
        stream.write(data)
