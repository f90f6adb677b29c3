"""Which configurations are refused, and with which words."""

import pytest
from tensorflow_serving.config.model_server_config_pb2 import TENSORFLOW, ModelConfig, ModelServerConfig

from serving.model_server.model_config import check_models, single_model
from serving.model_server.serving_error import ServingError


def config_of(*models: ModelConfig) -> ModelServerConfig:
    config = ModelServerConfig()
    config.model_config_list.config.extend(models)
    return config


def model(**fields: object) -> ModelConfig:
    return ModelConfig(**({"name": "m", "base_path": "/models/m", "model_platform": "tensorflow"} | fields))


def test_one_model_from_the_flags() -> None:
    models = check_models(single_model("m", "/models/m"), {})
    assert list(models) == ["m"] and models["m"].base_path == "/models/m"


def test_the_deprecated_type_is_a_platform() -> None:
    check_models(config_of(model(model_platform="", model_type=TENSORFLOW)), {})


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (config_of(model(), model()), "Illegal to list model m multiple times in config list"),
        (
            config_of(model(base_path="models/m")),
            r"to have an absolute path or URI; got base_path\(\)=models/m",
        ),
        (config_of(model(base_path="")), "to have an absolute path"),
        (config_of(model(model_platform="caffe")), "Model m requests unsupported platform caffe"),
        (config_of(model(model_platform="")), "Illegal setting neither ModelServerConfig::model_type"),
    ],
)
def test_what_cannot_be_served(config: ModelServerConfig, message: str) -> None:
    with pytest.raises(ServingError, match=message):
        check_models(config, {})


def test_a_platform_does_not_change() -> None:
    with pytest.raises(ServingError, match="platform was caffe and new platform requested is tensorflow"):
        check_models(config_of(model()), {"m": model(model_platform="caffe")})


def test_a_custom_configuration_is_refused() -> None:
    config = ModelServerConfig()
    config.custom_model_config.SetInParent()
    with pytest.raises(ServingError, match="custom_model_config"):
        check_models(config, {})
