"""No bytes, messages, tensors or pictures are the model server's fault: neither on REST nor on gRPC.

The models are small ones with inputs of every kind, and the project's encoder of pictures. With
ADLENS_FUZZ_EXAMPLES more is tried.
"""

import base64
import json
import os
import socket
from collections.abc import Iterator
from typing import Any

import grpc
import made_pairs
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odd_images import bad_images, encode, scene
from served_models import Client, models_config, predict_request, running, save_model, values
from tensorflow.core.framework import tensor_pb2, types_pb2

from models.encoder.build import build_encoder
from models.encoder.config import ImageEncoderConfig
from serving.encoder_signatures import save_encoder

EXAMPLES = int(os.environ.get("ADLENS_FUZZ_EXAMPLES", "60"))
QUICK = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="ADLENS_FUZZ_EXAMPLES" not in os.environ,
    suppress_health_check=list(HealthCheck),
)
# What may come of a wrong request over gRPC. Bytes that are no message are INTERNAL in every server of gRPC.
REFUSED = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
SIGNATURES = [
    "",
    "matrix",
    "several",
    "strings",
    "scalar",
    "half",
    "words",
    "total",
    "unsigned",
    "flags",
    "checked",
]
IMAGE = encode(scene(), "JPEG")
# The log's reader takes three formats alone; TensorFlow's decoder, which the encoder has, reads these two as well.
READ = {"another format, GIF", "another format, BMP"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("fuzz")
    save_model(folder / "m", 1)
    config = ImageEncoderConfig(
        image_size=16, patch_size=8, embedding_dim=8, num_layers=1, num_heads=2, hidden_dim=16, mlp_dim=16
    )
    encoder = build_encoder(config, made_pairs.write_pairs(folder / "pairs", 24))
    save_encoder(encoder, "scl", str(folder), str(folder / "image_encoder" / "1"))
    with running(models_config(("m", folder / "m"), ("image_encoder", folder / "image_encoder"))) as client:
        yield client
        # It still answers.
        assert values(client.predict(x=[1.0]), "y") == [2.5]


def call(client: Client, method: str, message: bytes) -> tuple[grpc.StatusCode, str]:
    """Sends bytes as a message. Returns the code and what is said."""
    stub = client.channel.unary_unary(f"/tensorflow.serving.{method}", None, None)
    try:
        stub(message, timeout=30)
    except grpc.RpcError as error:
        return error.code(), error.details() or ""
    return grpc.StatusCode.OK, ""


METHODS = [
    "PredictionService/Predict",
    "PredictionService/GetModelMetadata",
    "PredictionService/Classify",
    "ModelService/GetModelStatus",
    "PredictionService/Nothing",
]


@given(st.sampled_from(METHODS), st.binary(max_size=80))
@QUICK
def test_bytes_as_messages(client: Client, method: str, message: bytes) -> None:
    code, said = call(client, method, message)
    is_no_message = code == grpc.StatusCode.INTERNAL and "deserializing" in said
    assert is_no_message or code in REFUSED | {grpc.StatusCode.OK}, (code, said)


@st.composite
def damaged_requests(draw: st.DrawFn) -> bytes:
    """A request of which some bytes are others."""
    request = draw(
        st.sampled_from(
            [predict_request(x=[1.0, 2.0]), predict_request("image_encoder", image_bytes=[IMAGE[:60]])]
        )
    )
    data = bytearray(request.SerializeToString(deterministic=True))
    for _ in range(draw(st.integers(1, 3))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data)


@given(damaged_requests())
@QUICK
def test_damaged_messages(client: Client, message: bytes) -> None:
    code, said = call(client, "PredictionService/Predict", message)
    is_no_message = code == grpc.StatusCode.INTERNAL and "deserializing" in said
    assert is_no_message or code in REFUSED | {grpc.StatusCode.OK}, (code, said)


TENSORS = st.builds(
    tensor_pb2.TensorProto,
    dtype=st.sampled_from(sorted(types_pb2.DataType.values())),
    tensor_shape=st.builds(
        tf.TensorShape, st.none() | st.lists(st.none() | st.integers(0, 5), max_size=3)
    ).map(lambda shape: shape.as_proto())
    | st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3).map(
        lambda sizes: tf.TensorShape([]).as_proto().__class__(dim=[{"size": size} for size in sizes])
    ),
    tensor_content=st.binary(max_size=40),
    float_val=st.lists(st.floats(width=32), max_size=3),
    int_val=st.lists(st.integers(-(2**31), 2**31 - 1), max_size=3),
    string_val=st.lists(st.binary(max_size=9), max_size=3),
    int64_val=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3),
    version_number=st.integers(-2, 2),
)


@given(
    st.sampled_from(["m", "image_encoder", "", "nothing"]),
    st.sampled_from(SIGNATURES),
    st.dictionaries(st.sampled_from(["x", "a", "b", "text", "word", "image_bytes", ""]), TENSORS, max_size=2),
    st.lists(st.sampled_from(["y", "sum", "", "nothing"]), max_size=2),
)
@QUICK
def test_tensors_of_any_kind(
    client: Client, name: str, signature: str, tensors: dict[str, Any], outputs: list[str]
) -> None:
    request = predict_request(name, signature, output_filter=tuple(outputs), **tensors)
    code, said = call(client, "PredictionService/Predict", request.SerializeToString())
    assert code in REFUSED | {grpc.StatusCode.OK}, (code, said)


@given(
    st.binary(max_size=200)
    | st.binary(max_size=60).map(lambda data: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + data)
)
@QUICK
def test_bytes_on_the_ports(client: Client, data: bytes) -> None:
    for port in (client.server.grpc_port, client.server.rest_port):
        assert port is not None
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                received = connection.recv(65536)
            except TimeoutError:
                raise
            except OSError:
                continue  # it hung up
        assert not received.startswith(b"HTTP/1.1 5"), received


@st.composite
def damaged_pictures(draw: st.DrawFn) -> bytes:
    """A picture with bytes cut off, flipped or put in."""
    kind = draw(st.sampled_from(["JPEG", "PNG", "WEBP"]))
    data = bytearray(encode(scene(), kind))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(data) - 1))
        change = draw(st.sampled_from(["cut", "flip", "insert"]))
        if change == "cut":
            data = data[: place + 1]
        elif change == "flip":
            data[place] = draw(st.integers(0, 255))
        else:
            data[place:place] = draw(st.binary(max_size=9))
    return bytes(data)


def encode_both_ways(client: Client, data: bytes) -> tuple[bool, bool]:
    """Whether the encoder takes a picture over gRPC, and over REST; otherwise it refuses it."""
    request = predict_request("image_encoder", image_bytes=np.array([data], object))
    code, said = call(client, "PredictionService/Predict", request.SerializeToString())
    assert code in (grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT), (code, said)
    body = json.dumps({"instances": [{"b64": base64.b64encode(data).decode()}]})
    status, answer = client.rest("/v1/models/image_encoder:predict", body)
    assert status in (200, 400), (status, answer)
    return code == grpc.StatusCode.OK, status == 200


@given(damaged_pictures() | st.binary(max_size=60))
@QUICK
def test_damaged_pictures(client: Client, data: bytes) -> None:
    over_grpc, over_rest = encode_both_ways(client, data)
    assert over_grpc == over_rest


def test_pictures_that_are_none(client: Client) -> None:
    for name, (data, reason) in bad_images().items():
        if reason == "unreadable_image":
            is_read = name in READ
            assert encode_both_ways(client, data) == (is_read, is_read), name
    assert encode_both_ways(client, IMAGE) == (True, True)


@given(
    st.sampled_from(["m", "image_encoder", "nothing"]),
    st.binary(max_size=100)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["instances", "inputs", "b64", "x", "signature_name"]), inner)
        ),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode()),
)
@QUICK
def test_bodies_on_rest(client: Client, name: str, body: bytes) -> None:
    status, answer = client.rest(f"/v1/models/{name}:predict", body)
    assert status in (200, 400, 404), (status, answer)
