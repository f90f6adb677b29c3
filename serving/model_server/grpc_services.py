"""TF Serving's services over gRPC."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import grpc
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving.model_server.answers import answer_metadata, answer_predict, answer_status
from serving.model_server.metrics import Metrics
from serving.model_server.model_manager import ModelManager
from serving.model_server.serving_error import ServingError, invalid

# gRPC sends the message in a header, whose size clients bound.
MAX_MESSAGE = 1024
UNSUPPORTED_CONFIG = "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList is currently supported"

Answer = TypeVar("Answer")


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict and GetModelMetadata; the rest answers UNIMPLEMENTED.

    Args:
        manager: has the models.
        metrics: where requests are counted.
    """

    def __init__(self, manager: ModelManager, metrics: Metrics) -> None:
        self.manager = manager
        self.metrics = metrics

    def Predict(
        self, request: predict_pb2.PredictRequest, context: grpc.ServicerContext
    ) -> predict_pb2.PredictResponse:
        """Runs a signature."""
        started = time.perf_counter()
        name = request.model_spec.name
        try:
            response = answer_predict(self.manager, request)
        except ServingError as error:
            self.metrics.count_request(name, error.code.name)
            abort(context, error)
        self.metrics.count_request(name, "OK")
        self.metrics.observe_request(name, "Predict", "GRPC", time.perf_counter() - started)
        return response

    def GetModelMetadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest, context: grpc.ServicerContext
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """The signatures of a version."""
        return _answer_or_abort(context, lambda: answer_metadata(self.manager, request))


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """States of versions, and new configurations.

    Args:
        manager: has the models.
    """

    def __init__(self, manager: ModelManager) -> None:
        self.manager = manager

    def GetModelStatus(
        self, request: get_model_status_pb2.GetModelStatusRequest, context: grpc.ServicerContext
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """The states of a model's versions."""
        return _answer_or_abort(context, lambda: answer_status(self.manager, request))

    def HandleReloadConfigRequest(
        self, request: model_management_pb2.ReloadConfigRequest, context: grpc.ServicerContext
    ) -> model_management_pb2.ReloadConfigResponse:
        """Replaces the configuration; models that it does not name are unloaded."""
        _answer_or_abort(context, lambda: self._reload(request))
        return model_management_pb2.ReloadConfigResponse()

    def _reload(self, request: model_management_pb2.ReloadConfigRequest) -> None:
        if request.config.WhichOneof("config") != "model_config_list":
            raise invalid(UNSUPPORTED_CONFIG)
        self.manager.reload(request.config)


def abort(context: grpc.ServicerContext, error: ServingError) -> Any:
    """Ends the call with the error's code and its message, cut where it is long. It never returns."""
    message = error.message
    if len(message) > MAX_MESSAGE:
        message = f"{message[:MAX_MESSAGE]}...TRUNCATED"
    context.abort(error.code, message)


def _answer_or_abort(context: grpc.ServicerContext, answer: Callable[[], Answer]) -> Answer:
    try:
        return answer()
    except ServingError as error:
        return abort(context, error)
