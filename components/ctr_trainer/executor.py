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

from components.make_trainer.executor import WEIGHTS_FILE
from models.content.item_embeddings import ItemEmbeddings
from models.content.item_index import ItemIndex
from models.ctr.config import CtrConfig
from models.ctr.dataset import read_examples
from models.ctr.model import CtrModel
from models.ctr.trainer import train
from models.make.config import MakeConfig
from models.make.weights import load_weights
from serving.embedding_index.embedding_files import encoder_fingerprint
from serving.model_description import write_description
from serving.signatures import save_ctr_model
from serving.warm_up_requests import write_warm_up_requests
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
            input_dict: `examples`, `transform_graph`, and by the integration `embeddings` and `make`, one
                artifact each.
            output_dict: `model`, `model_run`, one artifact each.
            exec_properties: `ingest`, `config` and `make_config`, as JSON.
        Raises:
            InputError: a modality has no embedding, or the loss is not finite.
        """
        ingest = from_json(IngestConfig, exec_properties["ingest"])
        config = from_json(CtrConfig, exec_properties["config"])
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
        if model.knowledge is not None and input_dict.get("make"):
            load_weights(model.knowledge.extractor, _read_make(input_dict))

        raw_spec = transform_output.raw_feature_spec()
        transform_layer = transform_output.transform_features_layer()
        transform = transform_layer if index is None else index.beside(transform_layer)

        def split(name: str) -> tf.data.Dataset:
            pattern = f"{artifact_utils.get_split_uri([examples], name)}/*"
            return read_examples(pattern, raw_spec, LABEL, config.batch_size, transform)

        history = train(model, split("train"), config, eval_dataset=split("eval"))
        history = {"model": config.integration, **history}
        self._write_history(artifact_utils.get_single_uri(output_dict["model_run"]), history)
        serving_uri = path_utils.serving_model_dir(artifact_utils.get_single_uri(output_dict["model"]))
        save_ctr_model(model, transform_layer, raw_spec, features, ingest.max_behaviors, serving_uri, index)
        write_description(serving_uri, _describe(input_dict, config))
        write_warm_up_requests(serving_uri)

    def _write_history(self, uri: str, history: dict) -> None:
        fileio.makedirs(uri)
        with fileio.open(f"{uri}/{HISTORY_FILE}", "wb") as stream:
            stream.write(json.dumps(history, indent=2).encode())


def _read_embeddings(input_dict: dict[str, list[types.Artifact]], config: CtrConfig) -> ItemEmbeddings | None:
    if not config.uses_content:
        return None
    uri = artifact_utils.get_single_uri(input_dict["embeddings"])
    return ItemEmbeddings.read(uri, config.modalities or ())


def _describe(input_dict: dict[str, list[types.Artifact]], config: CtrConfig) -> dict[str, Any]:
    """What a release has to know, also when another run made it."""
    encoders = {}
    if config.uses_content:
        uri = artifact_utils.get_single_uri(input_dict["embeddings"])
        encoders = {modality: encoder_fingerprint(uri, modality) for modality in config.modalities or ()}
    return {"model": config.integration, "num_tiers": config.num_tiers, "encoders": encoders}


def _read_make(input_dict: dict[str, list[types.Artifact]]) -> bytes:
    with fileio.open(f"{artifact_utils.get_single_uri(input_dict['make'])}/{WEIGHTS_FILE}", "rb") as stream:
        return stream.read()
