"""The server's configuration of models, checked as TF Serving checks it."""

import os
from collections.abc import Mapping

import grpc
from tensorflow_serving.config.model_server_config_pb2 import TENSORFLOW, ModelConfig, ModelServerConfig

from serving.model_server.serving_error import ServingError, invalid

PLATFORM = "tensorflow"


def single_model(name: str, base_path: str) -> ModelServerConfig:
    """The configuration of one model, as the command line's flags give it."""
    config = ModelServerConfig()
    config.model_config_list.config.add(name=name, base_path=base_path, model_platform=PLATFORM)
    return config


def check_models(config: ModelServerConfig, before: Mapping[str, ModelConfig]) -> dict[str, ModelConfig]:
    """The models of a configuration by name.

    Args:
        config: the new one.
        before: the models that are served now.
    Raises:
        ServingError: INVALID_ARGUMENT, if it cannot be served.
    """
    if config.WhichOneof("config") == "custom_model_config":
        raise ServingError(grpc.StatusCode.UNIMPLEMENTED, "custom_model_config is not supported")
    models: dict[str, ModelConfig] = {}
    for model in config.model_config_list.config:
        if model.name in models:
            raise invalid(f"Illegal to list model {model.name} multiple times in config list")
        if not os.path.isabs(model.base_path):
            raise invalid(
                f"Expected model {model.name} to have an absolute path or URI; got base_path()={model.base_path}"
            )
        _check_platform(model, before.get(model.name))
        models[model.name] = model
    return models


def _check_platform(model: ModelConfig, before: ModelConfig | None) -> None:
    platform = _platform(model)
    if before is not None and _platform(before) != platform:
        raise invalid(
            f"Illegal to change a model's platform. For model {model.name} platform was {_platform(before)} "
            f"and new platform requested is {platform}"
        )
    if platform != PLATFORM:
        raise invalid(f"Model {model.name} requests unsupported platform {platform}")


def _platform(model: ModelConfig) -> str:
    if model.model_type == TENSORFLOW and not model.model_platform:
        return PLATFORM
    if not model.model_platform:
        raise invalid(
            "Illegal setting neither ModelServerConfig::model_type (deprecated) "
            "nor ModelServerConfig::model_platform."
        )
    return model.model_platform
