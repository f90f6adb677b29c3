"""Asking models that are switched, refuse, hang or are not there, over real gRPC."""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc

from serving.encoder_service.remote_encoder import open_channel
from serving.gateway.errors import ModelRefused, PartUnavailable
from serving.gateway.model_client import Inputs, ModelClient
from serving.gateway.signature import Signature
from serving.gateway.tensors import Strings

OUTAGE_SECONDS = 0.2


class Switching(prediction_service_pb2_grpc.PredictionServiceServicer):
    """A model "m" whose signature "join" puts its inputs together; which it takes depends on the version."""

    def __init__(self) -> None:
        self.inputs: dict[int, dict[str, tf.DType]] = {
            1: {"a": tf.string},
            2: {"a": tf.string, "x": tf.float32},
        }
        self.version = 1
        self.failure: grpc.StatusCode | None = None
        self.delay_seconds = 0.0
        self.calls: list[str] = []

    def GetModelMetadata(self, request, context):
        self.calls.append("metadata")
        version = self._version(request, context)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.version.value = version
        definitions = get_model_metadata_pb2.SignatureDefMap()
        for name, dtype in self.inputs[version].items():
            info = definitions.signature_def["join"].inputs[name]
            info.dtype = dtype.as_datatype_enum
            for size in (-1, 3):
                info.tensor_shape.dim.add(size=size)
        response.metadata["signature_def"].Pack(definitions)
        return response

    def Predict(self, request, context):
        self.calls.append("predict")
        time.sleep(self.delay_seconds)
        if self.failure is not None:
            context.abort(self.failure, "told to fail\nin two lines")
        version = self._version(request, context)
        if set(request.inputs) != set(self.inputs[version]):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "other inputs")
        response = predict_pb2.PredictResponse()
        response.model_spec.version.value = version
        text = tf.make_ndarray(request.inputs["a"])
        numbers = tf.make_ndarray(request.inputs["x"]) if "x" in request.inputs else np.zeros((1, 3))
        response.outputs["text"].CopyFrom(tf.make_tensor_proto(b"|".join(text.ravel().tolist())))
        response.outputs["sum"].CopyFrom(tf.make_tensor_proto(np.float32(numbers.sum())))
        return response

    def _version(self, request, context):
        wanted = request.model_spec.version.value if request.model_spec.HasField("version") else self.version
        if request.model_spec.name != "m" or wanted not in self.inputs:
            context.abort(grpc.StatusCode.NOT_FOUND, "Servable not found")
        return wanted


@pytest.fixture
def model() -> Iterator[Switching]:
    yield Switching()


@pytest.fixture
def client(model: Switching) -> Iterator[ModelClient]:
    server = grpc.server(futures.ThreadPoolExecutor(4))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(model, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with open_channel(f"127.0.0.1:{port}") as channel:
        yield ModelClient(channel, OUTAGE_SECONDS)
    server.stop(None).wait()


def inputs(signature: Signature) -> Inputs:
    given: dict[str, Strings | np.ndarray] = {"a": Strings([b"\xff\0", b"", b"c"], (1, 3))}
    return given | ({"x": np.array([[1, 2, 3.5]], np.float32)} if "x" in signature.inputs else {})


def ask(
    client: ModelClient,
    make_inputs: Callable[[Signature], Inputs] = inputs,
    version: str | None = None,
    timeout: float = 5,
) -> tuple[str, Mapping[str, np.ndarray]]:
    answer = client.ask("m", "join", make_inputs, timeout, version)
    return answer.version, answer.outputs


def test_sends_and_receives(client: ModelClient, model: Switching) -> None:
    version, outputs = ask(client, version="2")
    assert version == "2" and outputs["sum"] == 6.5 and outputs["text"] == b"\xff\0||c"
    found = client.signatures("m", 5)["join"]
    assert found.version == "1" and found.inputs["a"].dtype == object and found.inputs["a"].shape == (None, 3)


def test_asks_for_the_inputs_once(client: ModelClient, model: Switching) -> None:
    for _ in range(3):
        assert ask(client)[0] == "1"
    assert model.calls == ["metadata", *["predict"] * 3]


def test_a_version_with_other_inputs_is_asked_again(client: ModelClient, model: Switching) -> None:
    ask(client)
    model.version = 2
    version, outputs = ask(client)
    assert version == "2" and outputs["sum"] == 6.5
    assert model.calls[2:] == ["predict", "metadata", "predict"]


def named_inputs(signature: Signature) -> Inputs:
    return {"a": Strings([b"made for ", signature.version.encode(), b""], (1, 3))}


def test_a_version_with_the_same_inputs_is_given_those_that_are_made_for_it(
    client: ModelClient, model: Switching
) -> None:
    ask(client)
    model.inputs[3], model.version = model.inputs[1], 3
    version, outputs = ask(client, named_inputs)
    assert version == "3" and outputs["text"] == b"made for |3|"
    assert client.signatures("m", 5)["join"].version == "3"
    assert model.calls[2:] == ["predict", "metadata", "predict"]


def test_all_tries_share_the_time(client: ModelClient, model: Switching) -> None:
    ask(client)
    model.inputs[3], model.version, model.delay_seconds = model.inputs[1], 3, 0.4
    started = time.monotonic()
    with pytest.raises(PartUnavailable, match="DEADLINE_EXCEEDED"):
        ask(client, timeout=0.5)
    assert time.monotonic() - started < 0.7


def test_what_the_model_refuses(client: ModelClient, model: Switching) -> None:
    with pytest.raises(ModelRefused) as error:
        ask(client, lambda _: {})
    assert str(error.value) == "m: INVALID_ARGUMENT: other inputs"
    # A refusal is an answer: the model is asked on.
    for _ in range(5):
        with pytest.raises(ModelRefused):
            ask(client, lambda _: {})
    assert ask(client)[0] == "1"


def test_what_is_not_there(client: ModelClient, model: Switching) -> None:
    with pytest.raises(PartUnavailable, match="NOT_FOUND"):
        ask(client, version="7")
    with pytest.raises(PartUnavailable, match="m version 1 has no signature other"):
        client.ask("m", "other", inputs, 5)
    with pytest.raises(PartUnavailable, match="unknown: NOT_FOUND"):
        client.signatures("unknown", 5)


def test_a_model_that_hangs_costs_its_time_three_times(client: ModelClient, model: Switching) -> None:
    ask(client)
    model.delay_seconds = 1.0
    for _ in range(3):
        with pytest.raises(PartUnavailable, match="m: DEADLINE_EXCEEDED"):
            ask(client, timeout=0.05)
    started = time.monotonic()
    with pytest.raises(PartUnavailable, match="did not answer within the last 0.2 s"):
        ask(client, timeout=5)
    assert time.monotonic() - started < 0.1
    model.delay_seconds = 0.0
    time.sleep(OUTAGE_SECONDS)
    assert ask(client)[0] == "1"


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED])
def test_an_outage_is_told_in_one_line(client: ModelClient, model: Switching, code: grpc.StatusCode) -> None:
    model.failure = code
    with pytest.raises(PartUnavailable) as error:
        ask(client)
    assert str(error.value) == f"m: {code.name}: told to fail"
