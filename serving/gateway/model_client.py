"""Asks the models behind the model server."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    model_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving.gateway.circuit import Circuit
from serving.gateway.deadline import Deadline
from serving.gateway.errors import ModelRefused, PartUnavailable
from serving.gateway.signature import Input, Signature
from serving.gateway.tensors import Tensor, fill_message

# Codes that say something of the server, of the way to it or of its set-up, and nothing of the inputs.
_OUTAGES = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
}
_MAX_MESSAGE = 200
# More than are ever in use at once; versions come and go.
_MAX_KEPT = 64

Signatures = Mapping[str, Signature]
Inputs = Mapping[str, Tensor]


@dataclass(frozen=True)
class Prediction:
    """What a model answered.

    Attributes:
        version: which version did.
        outputs: arrays by name.
    """

    version: str
    outputs: Mapping[str, np.ndarray]


class ModelClient:
    """Asks models over TF Serving's gRPC, and learns from the server which inputs they take.

    What a version takes is asked once and kept until another version answers. All methods may be called from
    several threads.

    Args:
        channel: to the model server.
        outage_seconds: how long a signature that did not answer is not asked again.
    """

    def __init__(self, channel: grpc.Channel, outage_seconds: float = 1.0) -> None:
        self.outage_seconds = outage_seconds
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        self._lock = threading.Lock()
        self._signatures: dict[tuple[str, str | None], Signatures] = {}
        self._circuits: dict[tuple[str, str, str | None], Circuit] = {}

    def signatures(self, model: str, timeout: float, version: str | None = None) -> Signatures:
        """The signatures of a model by name.

        Args:
            model: the model's name.
            timeout: seconds that asking may take.
            version: of the model; None: the latest, as far as is known.
        Raises:
            PartUnavailable: the server does not answer, or has no such model.
        """
        return self._signatures.get((model, version)) or self.refresh(model, timeout, version)

    def refresh(self, model: str, timeout: float, version: str | None = None) -> Signatures:
        """As `signatures`, asked anew."""
        spec = _spec(model, version)
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=spec, metadata_field=["signature_def"]
        )
        response = self._call(self._stub.GetModelMetadata, request, timeout)
        definitions = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(definitions)
        answered = str(response.model_spec.version.value)
        found = {
            name: Signature(answered, {key: _read_input(info) for key, info in each.inputs.items()})
            for name, each in definitions.signature_def.items()
        }
        with self._lock:
            _keep(self._signatures, (model, version), found)
        return found

    def ask(
        self,
        model: str,
        signature: str,
        make_inputs: Callable[[Signature], Inputs],
        timeout: float,
        version: str | None = None,
    ) -> Prediction:
        """Asks a model; if it was switched meanwhile to another version than the inputs are made for, once more.

        Args:
            model: the model's name.
            signature: the signature's name.
            make_inputs: the inputs that a signature takes.
            timeout: seconds that all of it may take.
            version: of the model; None: the latest, whichever that is.
        Raises:
            PartUnavailable: the server does not answer in time, or has no such model, version or signature.
            ModelRefused: the model fails at these inputs.
        """
        deadline = Deadline(timeout)
        known = self.signatures(model, timeout, version)
        try:
            answer = self._ask_once(model, signature, known, make_inputs, deadline.limit(timeout), version)
            if answer.version == _version_of(known):
                return answer
            latest = self.refresh(model, deadline.limit(timeout), version)
        except (ModelRefused, _NoSignature):
            latest = self.refresh(model, deadline.limit(timeout), version)
            if _version_of(latest) == _version_of(known):
                raise
        return self._ask_once(model, signature, latest, make_inputs, deadline.limit(timeout), version)

    def _ask_once(
        self,
        model: str,
        signature: str,
        known: Signatures,
        make_inputs: Callable[[Signature], Inputs],
        timeout: float,
        version: str | None,
    ) -> Prediction:
        if signature not in known:
            raise _NoSignature(f"{model} version {_version_of(known)} has no signature {signature}")
        request = predict_pb2.PredictRequest(model_spec=_spec(model, version, signature))
        for name, tensor in make_inputs(known[signature]).items():
            fill_message(request.inputs[name], tensor)
        response = self._call(self._stub.Predict, request, timeout)
        answered = str(response.model_spec.version.value)
        if answered != _version_of(known):
            with self._lock:
                self._signatures.pop((model, version), None)
        outputs = {name: np.asarray(tf.make_ndarray(each)) for name, each in response.outputs.items()}
        return Prediction(answered, outputs)

    def _call(self, method: Callable[..., Any], request: Any, timeout: float) -> Any:
        spec = request.model_spec
        circuit = self._circuit(spec)
        begun = circuit.check()
        try:
            response = method(request, timeout=timeout)
        except grpc.RpcError as error:
            is_outage = error.code() in _OUTAGES
            message = f"{spec.name}: {error.code().name}: {_first_line(error.details())}"
            if not is_outage:
                circuit.worked()
                raise ModelRefused(message) from error
            circuit.failed(begun)
            raise PartUnavailable(message) from error
        circuit.worked()
        return response

    def _circuit(self, spec: model_pb2.ModelSpec) -> Circuit:
        version = str(spec.version.value) if spec.HasField("version") else None
        key = (spec.name, spec.signature_name, version)
        with self._lock:
            if key not in self._circuits:
                _keep(self._circuits, key, Circuit(spec.name, self.outage_seconds))
            return self._circuits[key]


class _NoSignature(PartUnavailable):
    """The version that was known last has no such signature."""


def _spec(model: str, version: str | None, signature: str = "") -> model_pb2.ModelSpec:
    spec = model_pb2.ModelSpec(name=model, signature_name=signature)
    if version is not None:
        spec.version.value = int(version)
    return spec


def _version_of(signatures: Signatures) -> str | None:
    return next((each.version for each in signatures.values()), None)


def _read_input(info: Any) -> Input:
    dtype = np.dtype(tf.as_dtype(info.dtype).as_numpy_dtype)
    return Input(dtype, tuple(None if dim.size < 0 else dim.size for dim in info.tensor_shape.dim))


def _first_line(details: str | None) -> str:
    return (details or "no message").splitlines()[0][:_MAX_MESSAGE]


def _keep(kept: dict[Any, Any], key: Any, value: Any) -> None:
    """Keeps a value, and lets go of the one that was there the longest if there are too many."""
    kept[key] = value
    if len(kept) > _MAX_KEPT:
        del kept[next(iter(kept))]
