"""The model server over gRPC, against the words of TF Serving."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from served_models import Client, models_config, predict_request, running, save_model, values
from tensorflow.core.framework import types_pb2
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)
from tensorflow_serving.config.file_system_storage_path_source_pb2 import FileSystemStoragePathSourceConfig

Code = grpc.StatusCode


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("grpc") / "m"
    save_model(base, 1, addend=2.0)
    save_model(base, 2, addend=10.0)
    return base


@pytest.fixture(scope="module")
def client(base: Path) -> Iterator[Client]:
    all_versions = FileSystemStoragePathSourceConfig.ServableVersionPolicy(all={})
    config = models_config(("m", base), model_version_policy=all_versions)
    labeled = models_config(
        ("m", base), model_version_policy=all_versions, version_labels={"stable": 1, "canary": 2}
    )
    with running(config, rest_port=None) as client:
        while len(client.states()) < 2 or any(state != 30 for _, state in client.states()):
            pass
        reload_config(client, labeled)
        yield client


def reload_config(client: Client, config: Any) -> None:
    request = model_management_pb2.ReloadConfigRequest(config=config)
    model_service_pb2_grpc.ModelServiceStub(client.channel).HandleReloadConfigRequest(request, timeout=30)


def refused(client: Client, **arguments: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as raised:
        client.predict(**arguments)
    return raised.value.code(), raised.value.details()


X = np.array([0, 1], np.float32)


def test_the_latest_version_answers_and_says_so(client: Client) -> None:
    response = client.predict(x=X)
    spec = response.model_spec
    assert (spec.name, spec.signature_name, spec.version.value) == ("m", "serving_default", 2)
    # 0.5 x + 10, as typed values.
    assert list(response.outputs["y"].float_val) == [10.0, 10.5]
    assert not response.outputs["y"].tensor_content


def test_a_version_or_a_label(client: Client) -> None:
    for arguments in ({"version": 1}, {"label": "stable"}):
        response = client.predict(x=X, **arguments)
        assert values(response, "y") == [2.0, 2.5] and response.model_spec.version.value == 1
    assert values(client.predict(x=X, label="canary"), "y") == [10.0, 10.5]


def test_content_and_typed_values_are_the_same_input(client: Client) -> None:
    content = TensorProto(dtype=types_pb2.DT_FLOAT, tensor_content=X.tobytes())
    content.tensor_shape.dim.add(size=2)
    assert client.predict(x=content) == client.predict(x=X)


@pytest.mark.parametrize(
    ("signature", "inputs", "outputs"),
    [
        ("several", {"a": np.float32([3]), "b": np.int64([1])}, {"sum": [4.0], "difference": [2.0]}),
        ("strings", {"text": [b"a", b"\xff"]}, {"text": [b"a", b"\xff"], "raw_bytes": [b"a!", b"\xff!"]}),
        ("scalar", {"x": np.int32(4)}, {"y": 5}),
        ("half", {"x": np.float16([1.5])}, {"y": [1.5]}),
        ("words", {"word": [b"red", b"blue", b"x"]}, {"place": [0, 1, -1]}),
        ("total", {"x": np.float64([1, 2])}, {"y": 3.0}),
        ("unsigned", {"x": np.uint8([0, 255])}, {"y": [0, 255]}),
        ("flags", {"x": [True, False]}, {"y": [False, True]}),
        ("matrix", {"x": np.ones((2, 0, 3), np.float32)}, {"y": [[], []]}),
    ],
)
def test_signatures_and_types(client: Client, signature: str, inputs: dict, outputs: dict) -> None:
    response = client.predict(signature=signature, **inputs)
    assert {name: values(response, name) for name in response.outputs} == outputs
    assert response.model_spec.signature_name == signature


def test_an_output_filter_computes_no_more(client: Client) -> None:
    inputs = {"a": np.float32([3]), "b": np.int64([1])}
    assert list(client.predict(signature="several", output_filter=("sum",), **inputs).outputs) == ["sum"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ({"name": "absent"}, Code.NOT_FOUND, "Servable not found for request: Latest(absent)"),
        ({"version": 7}, Code.NOT_FOUND, "Servable not found for request: Specific(m, 7)"),
        ({"version": 0}, Code.NOT_FOUND, "Servable not found for request: Specific(m, 0)"),
        ({"label": "x"}, Code.INVALID_ARGUMENT, "Unrecognized servable version label: x"),
        ({"name": ""}, Code.INVALID_ARGUMENT, "ModelSpec has no name specified."),
        ({"signature": "absent"}, Code.FAILED_PRECONDITION, 'Serving signature key "absent" not found.'),
        (
            {},
            Code.INVALID_ARGUMENT,
            (
                "input size does not match signature: 0!=1 len({}) != len({x}). Sent extra: {}. "
                "Missing but required: {x}."
            ),
        ),
        (
            {"x": X, "z": X},
            Code.INVALID_ARGUMENT,
            (
                "input size does not match signature: 2!=1 len({x,z}) != len({x}). Sent extra: {z}. "
                "Missing but required: {}."
            ),
        ),
        (
            {"z": X},
            Code.INVALID_ARGUMENT,
            "input tensor alias not found in signature: z. Inputs expected to be in the set {x}.",
        ),
        ({"x": [True]}, Code.INVALID_ARGUMENT, "Expects arg[0] to be float but bool is provided"),
        ({"x": np.float64([1])}, Code.INVALID_ARGUMENT, "Expects arg[0] to be float but double is provided"),
        ({"x": np.int64([1])}, Code.INVALID_ARGUMENT, "Expects arg[0] to be float but int64 is provided"),
        ({"x": [b"1"]}, Code.INVALID_ARGUMENT, "Expects arg[0] to be float but string is provided"),
        (
            {"x": TensorProto(dtype=types_pb2.DT_FLOAT, tensor_content=b"123")},
            Code.INVALID_ARGUMENT,
            "tensor parsing error: x",
        ),
        ({"x": TensorProto()}, Code.INVALID_ARGUMENT, "tensor parsing error: x"),
        (
            {"x": X, "output_filter": ("q",)},
            Code.INVALID_ARGUMENT,
            "output tensor alias not found in signature: q Outputs expected to be in the set {y}.",
        ),
        ({"x": X, "output_filter": ("y", "y")}, Code.INVALID_ARGUMENT, "duplicate output tensor alias: y"),
    ],
)
def test_errors(client: Client, arguments: dict, code: grpc.StatusCode, message: str) -> None:
    arguments = arguments if "x" in arguments or "z" in arguments or not arguments else arguments | {"x": X}
    assert refused(client, **arguments) == (code, message)


def test_an_operation_that_fails_says_why(client: Client) -> None:
    code, message = refused(client, signature="checked", x=np.ones(3, np.float32))
    assert code == Code.INVALID_ARGUMENT
    assert message.startswith("Input to reshape is a tensor with 3 values")


def test_long_messages_are_cut(client: Client) -> None:
    _, message = refused(client, name="n" * 5_000, x=X)
    assert len(message) == 1024 + len("...TRUNCATED") and message.endswith("n...TRUNCATED")


def test_a_request_without_a_model(client: Client) -> None:
    stub = prediction_service_pb2_grpc.PredictionServiceStub(client.channel)
    with pytest.raises(grpc.RpcError) as raised:
        stub.Predict(predict_pb2.PredictRequest(), timeout=30)
    assert (raised.value.code(), raised.value.details()) == (Code.INVALID_ARGUMENT, "Missing ModelSpec")


@pytest.mark.parametrize(
    "method",
    [
        "tensorflow.serving.PredictionService/Classify",
        "tensorflow.serving.PredictionService/Regress",
        "tensorflow.serving.PredictionService/MultiInference",
        # Off by default in TF Serving, too.
        "grpc.health.v1.Health/Check",
    ],
)
def test_what_is_not_there(client: Client, method: str) -> None:
    call = client.channel.unary_unary(f"/{method}", request_serializer=bytes, response_deserializer=bytes)
    with pytest.raises(grpc.RpcError) as raised:
        call(b"", timeout=30)
    assert raised.value.code() == Code.UNIMPLEMENTED


def test_large_messages_pass_both_ways(client: Client) -> None:
    size = 5_000_000
    options = [(f"grpc.max_{way}_message_length", -1) for way in ("send", "receive")]
    with grpc.insecure_channel(f"127.0.0.1:{client.server.grpc_port}", options) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        response = stub.Predict(predict_request(signature="matrix", x=np.ones(size, np.float32)), timeout=60)
    assert len(response.outputs["y"].float_val) == size


def test_status(client: Client) -> None:
    assert client.states() == [(2, 30), (1, 30)]
    (one,) = client.status(version=1).model_version_status
    assert (one.version, one.state, one.status.error_code, one.status.error_message) == (1, 30, 0, "")
    for arguments, message in (
        ({"name": "absent"}, "Could not find any versions of model absent"),
        ({"version": 7}, "Could not find version 7 of model m"),
        ({"version": 0}, "Could not find version 0 of model m"),
    ):
        with pytest.raises(grpc.RpcError) as raised:
            client.status(**arguments)
        assert (raised.value.code(), raised.value.details()) == (Code.NOT_FOUND, message)
    stub = model_service_pb2_grpc.ModelServiceStub(client.channel)
    with pytest.raises(grpc.RpcError) as raised:
        stub.GetModelStatus(get_model_status_pb2.GetModelStatusRequest(), timeout=30)
    assert (raised.value.code(), raised.value.details()) == (Code.INVALID_ARGUMENT, "Missing ModelSpec")


def test_status_ignores_labels(client: Client) -> None:
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "m"
    request.model_spec.version_label = "no such label"
    response = model_service_pb2_grpc.ModelServiceStub(client.channel).GetModelStatus(request, timeout=30)
    assert len(response.model_version_status) == 2


def metadata_request(**spec: Any) -> get_model_metadata_pb2.GetModelMetadataRequest:
    return get_model_metadata_pb2.GetModelMetadataRequest(
        model_spec={"name": "m"} | spec, metadata_field=["signature_def"]
    )


def test_metadata_are_the_signatures_as_they_were_saved(client: Client, base: Path) -> None:
    response = client.metadata(metadata_request(version={"value": 1}))
    assert (response.model_spec.name, response.model_spec.version.value) == ("m", 1)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    saved = saved_model_pb2.SavedModel.FromString((base / "1" / "saved_model.pb").read_bytes())
    assert dict(signatures.signature_def) == dict(saved.meta_graphs[0].signature_def)
    x = signatures.signature_def["serving_default"].inputs["x"]
    assert (x.dtype, [dim.size for dim in x.tensor_shape.dim]) == (types_pb2.DT_FLOAT, [-1])


def test_metadata_errors(client: Client) -> None:
    empty = get_model_metadata_pb2.GetModelMetadataRequest()
    without_field = metadata_request()
    del without_field.metadata_field[:]
    other_field = metadata_request()
    other_field.metadata_field.append("graph_def")
    for request, code, message in (
        (empty, Code.INVALID_ARGUMENT, "Missing ModelSpec"),
        (without_field, Code.INVALID_ARGUMENT, "must specify at least one metadata_field"),
        (other_field, Code.INVALID_ARGUMENT, "Metadata field graph_def is not supported"),
        (metadata_request(name="absent"), Code.NOT_FOUND, "Servable not found for request: Latest(absent)"),
        (
            metadata_request(version_label="x"),
            Code.INVALID_ARGUMENT,
            "Unrecognized servable version label: x",
        ),
    ):
        with pytest.raises(grpc.RpcError) as raised:
            client.metadata(request)
        assert raised.value.code() == code and message in raised.value.details()


def test_configurations_that_are_refused(client: Client, base: Path) -> None:
    twice = models_config(("m", base), ("m", base))
    relative = models_config(("m", Path("relative")))
    unavailable = models_config(("m", base), version_labels={"x": 77})
    other_platform = models_config(("m", base))
    other_platform.model_config_list.config[0].model_platform = "caffe"
    for config, code, message in (
        (None, Code.INVALID_ARGUMENT, "Only ModelConfigList is currently supported"),
        (twice, Code.INVALID_ARGUMENT, "Illegal to list model m multiple times"),
        (relative, Code.INVALID_ARGUMENT, "to have an absolute path"),
        (other_platform, Code.INVALID_ARGUMENT, "Illegal to change a model's platform"),
        (unavailable, Code.FAILED_PRECONDITION, "version 77 of model m, which is not currently available"),
    ):
        with pytest.raises(grpc.RpcError) as raised:
            reload_config(client, config)
        assert raised.value.code() == code and message in raised.value.details()
    assert values(client.predict(x=X, label="stable"), "y") == [2.0, 2.5]


REQUESTS = [
    predict_request(x=X, output_filter=("y",)),
    predict_request(signature="several", a=X, b=np.int64([1, 2]), version=1),
    predict_request(signature="strings", text=[b"a", b"bc"]),
    predict_request(signature="matrix", x=np.ones((2, 3), np.float32)),
]


@given(st.sampled_from(REQUESTS), st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_are_the_servers_fault(
    client: Client, request: predict_pb2.PredictRequest, data: Any
) -> None:
    sent = bytearray(request.SerializeToString())
    for _ in range(data.draw(st.integers(1, 3))):
        sent[data.draw(st.integers(0, len(sent) - 1))] = data.draw(st.integers(0, 255))
    method = client.channel.unary_unary(
        "/tensorflow.serving.PredictionService/Predict",
        request_serializer=bytes,
        response_deserializer=predict_pb2.PredictResponse.FromString,
    )
    try:
        method(sent, timeout=30)
    except grpc.RpcError as error:
        code, details = error.code(), error.details()
        # What is no request at all never reaches the service.
        assert code in (Code.INVALID_ARGUMENT, Code.NOT_FOUND, Code.FAILED_PRECONDITION) or (
            code == Code.INTERNAL and "deserializing request" in details
        )
