"""What the MakeTrainer component does."""

import json
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from components.click_checkpoints import end_checkpoints, open_checkpoints
from components.with_all_workers import with_all_workers
from models.content.item_embeddings import ItemEmbeddings
from models.content.item_index import ItemIndex
from models.make.config import MakeConfig
from models.make.model import MakeModel
from models.make.trainer import read_rows, train_make
from models.make.weights import dump_weights, load_weights
from serving.embedding_index.embedding_files import encoder_fingerprint
from transforms.configuration import from_json
from transforms.input_error import InputError

WEIGHTS_FILE = "make.npz"
# By modality, the fingerprint of the encoder whose embeddings the weights belong to.
ENCODERS_FILE = "encoders.json"
HISTORY_FILE = "history.json"


class Executor(base_executor.BaseExecutor):
    """Trains on the train split, measures the eval split after each epoch, keeps the extractor's weights."""

    @with_all_workers
    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the weights and the history of the training.

        Args:
            input_dict: `examples`, `embeddings`, one artifact each; any number of `earlier_examples`, at
                most one `base`.
            output_dict: `make`, `model_run`, one artifact each.
            exec_properties: `config` as JSON, `modalities` with commas between, `max_behaviors`; `checkpoints`, a
                folder, where the training is to go on after a kill.
        Raises:
            InputError: a modality has no embedding, the base is of other sizes, or the loss is not finite.
        """
        config = from_json(MakeConfig, exec_properties["config"])
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        modalities = exec_properties["modalities"].split(",")
        uri = artifact_utils.get_single_uri(input_dict["embeddings"])
        embeddings = ItemEmbeddings.read(uri, modalities)
        index = ItemIndex(embeddings.item_ids, embeddings.rows, exec_properties["max_behaviors"])
        model = MakeModel(embeddings.shapes, config)
        model.embeddings.assign(embeddings.vectors)

        if input_dict.get("base"):
            _begin_with(model, input_dict["base"][0].uri)
        days = [*input_dict.get("earlier_examples", []), examples]
        eval_dataset = read_rows(_patterns([examples], "eval"), index, config.batch_size)
        checkpoints = open_checkpoints("make", input_dict, exec_properties, config)

        def read(first_batch: int) -> tf.data.Dataset:
            return read_rows(_patterns(days, "train"), index, config.batch_size, first_batch)

        history = train_make(model, read(0), config, eval_dataset, checkpoints=checkpoints, skip=read)
        history = {"model": "make"} | history
        run_uri = artifact_utils.get_single_uri(output_dict["model_run"])
        _write(run_uri, HISTORY_FILE, json.dumps(history, indent=2).encode())
        make_uri = artifact_utils.get_single_uri(output_dict["make"])
        _write(make_uri, WEIGHTS_FILE, dump_weights(model.extractor))
        encoders = {modality: encoder_fingerprint(uri, modality) for modality in modalities}
        _write(make_uri, ENCODERS_FILE, json.dumps(encoders).encode())
        end_checkpoints(checkpoints, config.strategy)


def _begin_with(model: MakeModel, uri: str) -> None:
    """Takes the weights of an earlier MAKE, whose embeddings may be those of other encoders.

    What it hands on then means much the same as before, which is what the click model that goes on has learned to read;
    from weights drawn anew it would be as good, and mean something else in every number.
    """
    with fileio.open(f"{uri}/{WEIGHTS_FILE}", "rb") as stream:
        data = stream.read()
    try:
        load_weights(model.extractor, data)
    except ValueError as error:
        raise InputError(
            f"{uri}: the MAKE to go on from is of other sizes; one that is configured otherwise needs a ROOT of its own"
        ) from error


def _patterns(examples: Sequence[types.Artifact], split: str) -> list[str]:
    return [f"{artifact_utils.get_split_uri([artifact], split)}/*" for artifact in examples]


def _write(folder: str, name: str, data: bytes) -> None:
    fileio.makedirs(folder)
    with fileio.open(f"{folder}/{name}", "wb") as stream:
        stream.write(data)
