"""A model server with encoders whose vectors can be told by hand, over real gRPC."""

import io
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent import futures
from typing import Self

import grpc
import numpy as np
import tensorflow as tf
from PIL import Image
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

POISON = (255, 0, 255)


def picture(color: tuple[int, int, int], size: int = 2) -> bytes:
    """A PNG of one color."""
    stream = io.BytesIO()
    Image.new("RGB", (size, size), color).save(stream, "PNG")
    return stream.getvalue()


def image_vector(data: bytes, version: int) -> list[float]:
    """[red, green, blue] of the first pixel and the version; a picture of the color POISON cannot be encoded."""
    color = Image.open(io.BytesIO(data)).convert("RGB").getpixel((0, 0))
    if color == POISON:
        raise ValueError("poison")
    return [*map(float, color), float(version)]


def text_vector(data: bytes, version: int) -> list[float]:
    """[bytes, first byte, version]; "nan" gives a number that is none, "poison" cannot be encoded."""
    if data == b"poison":
        raise ValueError("poison")
    return [float("nan") if data == b"nan" else float(len(data)), float(data[0]), float(version)]


class FakeEncoders(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Serves image_encoder and text_encoder on a free port of this machine.

    Attributes:
        versions: what is loaded of either model.
        failure: the code that every call fails with; None: none fails.
        delay_seconds: how long every call takes.
        poison_code: the code of a call with a value that cannot be encoded.
        max_batch: calls with more values fail with `large_code`.
        large_code: see there.
        before: called with the model's name before each answer.
        encoded: how often each content was encoded, by (model, content).
        batches: the sizes of the calls, of either model.
    """

    def __init__(self, port: int = 0) -> None:
        self.versions = {"image_encoder": [1], "text_encoder": [1]}
        self.failure: grpc.StatusCode | None = None
        self.poison_code = grpc.StatusCode.INVALID_ARGUMENT
        self.delay_seconds = 0.0
        self.max_batch = 1_000
        self.large_code = grpc.StatusCode.RESOURCE_EXHAUSTED
        self.before: Callable[[str], None] = lambda _: None
        self.encoded: Counter[tuple[str, bytes]] = Counter()
        self.batches: list[int] = []
        self._lock = threading.Lock()
        self._server = grpc.server(futures.ThreadPoolExecutor(8))
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self.address = f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(None).wait()

    def Predict(self, request, context):
        name = request.model_spec.name
        self.before(name)
        time.sleep(self.delay_seconds)
        if self.failure is not None:
            context.abort(self.failure, "told to fail")
        wanted = request.model_spec.version.value
        versions = self.versions[name]
        version = wanted if request.model_spec.HasField("version") else max(versions, default=0)
        if version not in versions:
            context.abort(
                grpc.StatusCode.NOT_FOUND, f"Servable not found for request: Specific({name}, {version})"
            )
        encode, input_name = {
            "image_encoder": (image_vector, "image_bytes"),
            "text_encoder": (text_vector, "text"),
        }[name]
        values = tf.make_ndarray(request.inputs[input_name]).tolist()
        with self._lock:
            self.batches.append(len(values))
        if len(values) > self.max_batch:
            context.abort(self.large_code, "too many")
        try:
            vectors = [encode(value, version) for value in values]
        except ValueError as error:
            context.abort(self.poison_code, str(error))
        with self._lock:
            self.encoded.update((name, value) for value in values)
        response = predict_pb2.PredictResponse()
        response.model_spec.name = name
        response.model_spec.version.value = version
        response.outputs["embedding"].CopyFrom(tf.make_tensor_proto(np.array(vectors, np.float32)))
        return response
