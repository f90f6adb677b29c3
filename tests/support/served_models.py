"""Small SavedModels for the tests of the model server, and a server over them."""

import contextlib
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_log_pb2,
    prediction_service_pb2_grpc,
)
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from serving.model_server.model_server import ModelServer
from serving.model_server.server_options import ServerOptions

VOCABULARY = ("red", "blue")


class SmallModel(tf.Module):
    """A variable, a table with an asset, and signatures of every kind of input and output."""

    def __init__(self, addend: float, asset: str) -> None:
        super().__init__()
        self.addend = tf.Variable(addend)
        initializer = tf.lookup.TextFileInitializer(
            asset,
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        )
        self.table = tf.lookup.StaticHashTable(initializer, -1)

    def signatures(self) -> dict[str, Any]:
        """By name: half of `x` and the addend; several inputs; a scalar; types that JSON lacks; places of words."""

        def spec(name: str, dtype: tf.DType, *shape: int | None) -> tf.TensorSpec:
            return tf.TensorSpec(shape, dtype, name)

        functions = {
            "serving_default": (lambda x: {"y": 0.5 * x + self.addend}, [spec("x", tf.float32, None)]),
            "matrix": (lambda x: {"y": 2.0 * x}, [tf.TensorSpec(None, tf.float32, "x")]),
            "several": (
                lambda a, b: {"sum": a + tf.cast(b, tf.float32), "difference": a - tf.cast(b, tf.float32)},
                [spec("a", tf.float32, None), spec("b", tf.int64, None)],
            ),
            "strings": (
                lambda text: {"text": tf.identity(text), "raw_bytes": tf.strings.join([text, "!"])},
                [spec("text", tf.string, None)],
            ),
            "scalar": (lambda x: {"y": x + 1}, [spec("x", tf.int32)]),
            "half": (lambda x: {"y": x}, [spec("x", tf.half, None)]),
            "words": (lambda word: {"place": self.table.lookup(word)}, [spec("word", tf.string, None)]),
            "total": (lambda x: {"y": tf.reduce_sum(x)}, [spec("x", tf.float64, None)]),
            "unsigned": (lambda x: {"y": x}, [spec("x", tf.uint8, None)]),
            "flags": (lambda x: {"y": tf.logical_not(x)}, [spec("x", tf.bool, None)]),
            "checked": (
                lambda x: {"y": tf.ensure_shape(tf.reshape(x, [2, -1]), [2, None])},
                [spec("x", tf.float32, None)],
            ),
        }
        return {
            name: tf.function(function, input_signature=specs)
            for name, (function, specs) in functions.items()
        }


def save_model(base_path: Path, version: int | str, addend: float = 2.0) -> Path:
    """Writes a version whose default signature gives half of `x` and the addend."""
    path = base_path / str(version)
    asset = base_path / f"words_of_{version}.txt"
    base_path.mkdir(parents=True, exist_ok=True)
    asset.write_text("\n".join(VOCABULARY) + "\n")
    model = SmallModel(addend, str(asset))
    tf.saved_model.save(model, str(path), signatures=model.signatures())
    asset.unlink()
    return path


def predict_request(
    name: str = "m",
    signature: str = "",
    version: int | None = None,
    label: str = "",
    output_filter: tuple[str, ...] = (),
    **inputs: Any,
) -> predict_pb2.PredictRequest:
    """A request over gRPC; inputs are arrays or protos."""
    request = predict_pb2.PredictRequest(output_filter=output_filter)
    request.model_spec.name = name
    request.model_spec.signature_name = signature
    if version is not None:
        request.model_spec.version.value = version
    if label:
        request.model_spec.version_label = label
    for key, value in inputs.items():
        is_proto = hasattr(value, "tensor_shape")
        request.inputs[key].CopyFrom(value if is_proto else tf.make_tensor_proto(value))
    return request


def write_warm_up(version_path: Path, requests: list[predict_pb2.PredictRequest]) -> None:
    """Writes warm-up records, as TF Serving reads them."""
    file = version_path / "assets.extra" / "tf_serving_warmup_requests"
    file.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(file)) as writer:
        for request in requests:
            log = prediction_log_pb2.PredictionLog()
            log.predict_log.request.CopyFrom(request)
            writer.write(log.SerializeToString())


def models_config(*models: tuple[str, Path], **fields: Any) -> ModelServerConfig:
    """A configuration; `fields` are those of the last model."""
    config = ModelServerConfig()
    for name, base_path in models:
        config.model_config_list.config.add(name=name, base_path=str(base_path), model_platform="tensorflow")
    for field, value in fields.items():
        last = config.model_config_list.config[-1]
        if isinstance(value, dict):
            getattr(last, field).update(value)
        else:
            getattr(last, field).CopyFrom(value)
    return config


@dataclass
class Client:
    """A client of a running server.

    Attributes:
        server: the server.
        channel: to its gRPC.
    """

    server: ModelServer
    channel: grpc.Channel

    def predict(self, **arguments: Any) -> predict_pb2.PredictResponse:
        """Predicts over gRPC; see `predict_request`."""
        stub = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        return stub.Predict(predict_request(**arguments), timeout=30)

    def metadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Asks for metadata over gRPC."""
        return prediction_service_pb2_grpc.PredictionServiceStub(self.channel).GetModelMetadata(
            request, timeout=30
        )

    def status(
        self, name: str = "m", version: int | None = None
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Asks for states over gRPC."""
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = name
        if version is not None:
            request.model_spec.version.value = version
        return model_service_pb2_grpc.ModelServiceStub(self.channel).GetModelStatus(request, timeout=30)

    def states(self, name: str = "m") -> list[tuple[int, int]]:
        """Versions and states, as they come."""
        return [(each.version, each.state) for each in self.status(name).model_version_status]

    def rest(
        self, path: str, body: bytes | str | dict | None = None, method: str = "", **headers: str
    ) -> tuple[int, bytes]:
        """Asks over REST: POST with a body, GET without. Returns status and body."""
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        data = data.encode() if isinstance(data, str) else data
        url = f"http://127.0.0.1:{self.server.rest_port}{path}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(
            url, data, named, method=method or ("GET" if data is None else "POST")
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def rest_predict(self, body: bytes | str | dict, signature: str = "", name: str = "m") -> tuple[int, Any]:
        """Predicts over REST. Returns status and parsed body."""
        if signature and isinstance(body, dict):
            body = {"signature_name": signature, **body}
        status, answer = self.rest(f"/v1/models/{name}:predict", body)
        return status, json.loads(answer)


@contextlib.contextmanager
def running(config: ModelServerConfig, **options: Any) -> Iterator[Client]:
    """A server on free ports of this machine, for a while."""
    settings: dict[str, Any] = {
        "host": "127.0.0.1",
        "grpc_port": 0,
        "rest_port": 0,
        "poll_seconds": 0.05,
        "retry_seconds": 0.1,
        "grpc_threads": 16,
    }
    server = ModelServer(ServerOptions(config, **(settings | options)))
    try:
        server.start()
        with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
            yield Client(server, channel)
    finally:
        server.stop()


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def values(response: predict_pb2.PredictResponse, name: str) -> list:
    """An output's values."""
    return np.asarray(tf.make_ndarray(response.outputs[name])).tolist()
