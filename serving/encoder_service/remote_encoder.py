"""An encoder behind the model server."""

from collections.abc import Sequence

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from models.encoder.input_names import INPUT_NAMES
from serving.encoder_service.errors import EncoderRefused, EncoderUnavailable

# Codes that say something of the server, of the way to it or of its set-up, and nothing of the items.
_OUTAGES = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
}
_MAX_MESSAGE = 200
_MAX_RESPONSE_BYTES = 256 << 20


def open_channel(address: str) -> grpc.Channel:
    """A channel to the model server's gRPC port that finds a restarted server within a second.

    Where the name stands for several servers, calls take turns among them.
    """
    options = [
        ("grpc.lb_policy_name", "round_robin"),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1_000),
        ("grpc.max_receive_message_length", _MAX_RESPONSE_BYTES),
    ]
    return grpc.insecure_channel(address, options)


class RemoteEncoder:
    """Encodes pictures or texts with a model of the model server, over TF Serving's gRPC.

    Args:
        channel: to the model server.
        modality: "image" or "text".
        model_name: the model's name there.
        timeout_seconds: deadline of each call.
    """

    def __init__(self, channel: grpc.Channel, modality: str, model_name: str, timeout_seconds: float) -> None:
        self.modality = modality
        self.model_name = model_name
        self.timeout_seconds = timeout_seconds
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def encode(self, values: Sequence[bytes], version: str | None = None) -> tuple[str, np.ndarray]:
        """Encodes one batch.

        Args:
            values: files of pictures or UTF-8 texts, at least one.
            version: of the model; None: the latest that the server has.
        Returns:
            The version that answered, and the vectors, float32 `[batch, dim]`; numbers may be not finite.
        Raises:
            EncoderUnavailable: the server does not answer in time, has no such model, or answers something else.
            EncoderRefused: it fails at these values.
        """
        request = predict_pb2.PredictRequest()
        request.model_spec.name = self.model_name
        request.model_spec.signature_name = "serving_default"
        if version is not None:
            request.model_spec.version.value = int(version)
        tensor = tf.make_tensor_proto(list(values), tf.string, [len(values)])
        request.inputs[INPUT_NAMES[self.modality]].CopyFrom(tensor)
        try:
            response = self._stub.Predict(request, timeout=self.timeout_seconds)
        except grpc.RpcError as error:
            kind = EncoderUnavailable if error.code() in _OUTAGES else EncoderRefused
            raise kind(error.code(), self._describe(error.details() or "")) from error
        return str(response.model_spec.version.value), self._read_vectors(response, len(values))

    def _read_vectors(self, response: predict_pb2.PredictResponse, rows: int) -> np.ndarray:
        if "embedding" not in response.outputs:
            raise self._odd(f"outputs {sorted(response.outputs)}")
        try:
            vectors = tf.make_ndarray(response.outputs["embedding"])
        except (ValueError, TypeError) as error:
            raise self._odd(f"a tensor that cannot be read: {error}") from error
        if vectors.dtype != np.float32 or vectors.ndim != 2 or len(vectors) != rows or not vectors.shape[1]:
            raise self._odd(f"{vectors.dtype} {list(vectors.shape)}")
        return vectors

    def _odd(self, came: str) -> EncoderUnavailable:
        wanted = "expected an output embedding of float32 [batch, dim]"
        return EncoderUnavailable(grpc.StatusCode.INTERNAL, self._describe(f"{wanted}, got {came}"))

    def _describe(self, message: str) -> str:
        first = message.splitlines()[0] if message else "no message"
        return f"{self.model_name}: {first[:_MAX_MESSAGE]}"
