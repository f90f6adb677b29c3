"""What the CtrTrainer component does."""

import dataclasses
import json
from collections.abc import Mapping
from functools import partial
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.click_base import find_base, find_encoders, find_vocabularies
from components.click_checkpoints import end_checkpoints, open_checkpoints
from components.make_trainer.executor import ENCODERS_FILE, WEIGHTS_FILE
from components.with_all_workers import with_all_workers
from models.content.item_embeddings import ItemEmbeddings
from models.content.item_index import ItemIndex
from models.continuation.training_state import FOLDER, TrainingState
from models.continuation.vocabulary import Vocabulary
from models.ctr.config import CtrConfig
from models.ctr.dataset import read_examples
from models.ctr.model import CtrModel
from models.ctr.trainer import train
from models.make.config import MakeConfig
from models.make.weights import load_weights
from serving.model_description import write_description
from serving.signatures import save_ctr_model
from serving.warm_up_requests import write_warm_up_requests
from transforms.configuration import from_json
from transforms.feature import model_features
from transforms.ingest_config import IngestConfig
from transforms.input_error import InputError
from transforms.preprocessing import LABEL, table_rows

HISTORY_FILE = "history.json"


class Executor(base_executor.BaseExecutor):
    """Trains on the train split, takes the loss of the eval split, exports."""

    @with_all_workers
    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the model and the history of its training.

        Args:
            input_dict: `examples`, `transform_graph`, and by the integration `embeddings` and `make`, one
                artifact each; at most one `base`.
            output_dict: `model`, `model_run`, one artifact each.
            exec_properties: `ingest`, `config` and `make_config`, as JSON; `resumable`, 1 where the model keeps what
                training needs to go on from it; `checkpoints`, a folder, where the training is to go on after a kill.
        Raises:
            InputError: a modality has no embedding, MAKE was trained with embeddings of other encoders, the base is
                another model, or the loss is not finite.
        """
        ingest = from_json(IngestConfig, exec_properties["ingest"])
        config = from_json(CtrConfig, exec_properties["config"])
        checkpoints = open_checkpoints("ctr", input_dict, exec_properties, config)
        make_config = from_json(MakeConfig, exec_properties["make_config"])
        transform_output = tft.TFTransformOutput(artifact_utils.get_single_uri(input_dict["transform_graph"]))
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        features = model_features(ingest.features)
        sizes = {f.name: table_rows(f, transform_output) for f in features if f.kind != "numeric"}
        embeddings = _read_embeddings(input_dict, config)
        shapes = None if embeddings is None else embeddings.shapes
        model = CtrModel(features, sizes, config, shapes, make_config)
        index = None
        if embeddings is not None:
            model.embeddings.assign(embeddings.vectors)
            index = ItemIndex(embeddings.item_ids, embeddings.rows, ingest.max_behaviors)
        encoders = find_encoders(input_dict.get("embeddings"), config.modalities or ())
        vocabularies = find_vocabularies(features, transform_output)
        base = find_base(input_dict.get("base"))
        make = _read_make(input_dict, model, encoders)
        if base is not None:
            config = dataclasses.replace(config, epochs=1)

        def begin() -> None:
            _begin(model, base, make, vocabularies, encoders)

        raw_spec = transform_output.raw_feature_spec()
        transform_layer = transform_output.transform_features_layer()
        transform = transform_layer if index is None else index.beside(transform_layer)

        def split(name: str, first_batch: int = 0) -> tf.data.Dataset:
            pattern = f"{artifact_utils.get_split_uri([examples], name)}/*"
            return read_examples(pattern, raw_spec, LABEL, config.batch_size, transform, first_batch)

        history = train(
            model,
            split("train"),
            config,
            eval_dataset=split("eval"),
            begin=begin,
            checkpoints=checkpoints,
            skip=partial(split, "train"),
        )
        history = {"model": config.integration, **history}
        self._write_history(artifact_utils.get_single_uri(output_dict["model_run"]), history)
        model_uri = artifact_utils.get_single_uri(output_dict["model"])
        serving_uri = path_utils.serving_model_dir(model_uri)
        save_ctr_model(model, transform_layer, raw_spec, features, ingest.max_behaviors, serving_uri, index)
        description = {"model": config.integration, "num_tiers": config.num_tiers, "encoders": encoders}
        write_description(serving_uri, description)
        write_warm_up_requests(serving_uri)
        if exec_properties.get("resumable"):
            TrainingState.write(f"{model_uri}/{FOLDER}", model, model.tables, vocabularies, encoders)
        end_checkpoints(checkpoints, config.strategy)

    def _write_history(self, uri: str, history: dict) -> None:
        fileio.makedirs(uri)
        with fileio.open(f"{uri}/{HISTORY_FILE}", "wb") as stream:
            stream.write(json.dumps(history, indent=2).encode())


def _read_embeddings(input_dict: dict[str, list[types.Artifact]], config: CtrConfig) -> ItemEmbeddings | None:
    if not config.uses_content:
        return None
    uri = artifact_utils.get_single_uri(input_dict["embeddings"])
    return ItemEmbeddings.read(uri, config.modalities or ())


def _begin(
    model: CtrModel,
    base: TrainingState | None,
    make: bytes | None,
    vocabularies: Mapping[str, Vocabulary],
    encoders: Mapping[str, str],
) -> None:
    """Goes on from the base. A MAKE that the base trained goes on too, while its embeddings are the same."""
    same_encoders = base is not None and base.encoders == encoders
    knowledge = model.knowledge
    if base is not None:
        anew = [] if knowledge is None or same_encoders else [knowledge]
        base.restore(model, model.tables, vocabularies, anew)
    if knowledge is not None and make is not None and not (same_encoders and model.config.train_make):
        load_weights(knowledge.extractor, make)


def _read_make(
    input_dict: dict[str, list[types.Artifact]], model: CtrModel, encoders: Mapping[str, str]
) -> bytes | None:
    """The weights of MAKE, which belong to the embeddings; None where MAKE has no training of its own."""
    if model.knowledge is None or not model.make.epochs:
        return None
    if not input_dict.get("make"):
        raise InputError("expected a MAKE that was trained with the catalog's embeddings, found none")
    uri = artifact_utils.get_single_uri(input_dict["make"])
    # One that an older release of this project has left says nothing of its encoders.
    trained_with = (
        json.loads(_read(uri, ENCODERS_FILE)) if fileio.exists(f"{uri}/{ENCODERS_FILE}") else encoders
    )
    if trained_with != encoders:
        raise InputError(
            f"the last MAKE was trained with embeddings of the encoders {_name(trained_with)}, but the catalog's "
            f"are of {_name(encoders)}; it is trained anew on days that train encoders"
        )
    return _read(uri, WEIGHTS_FILE)


def _name(encoders: Mapping[str, str]) -> str:
    return ", ".join(f"{modality} {fingerprint}" for modality, fingerprint in encoders.items())


def _read(uri: str, name: str) -> bytes:
    with fileio.open(f"{uri}/{name}", "rb") as stream:
        return stream.read()
