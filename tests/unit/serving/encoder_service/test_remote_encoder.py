"""Calls of an encoder over gRPC, and what comes of odd answers."""

import grpc
import numpy as np
import pytest
import tensorflow as tf

from serving.encoder_service.errors import EncoderRefused, EncoderUnavailable
from serving.encoder_service.remote_encoder import RemoteEncoder, open_channel
from tests.support.fake_encoders import POISON, FakeEncoders, picture


@pytest.fixture
def channel(encoders):
    with open_channel(encoders.address) as channel:
        yield channel


def images(channel, timeout_seconds: float = 5.0) -> RemoteEncoder:
    return RemoteEncoder(channel, "image", "image_encoder", timeout_seconds)


def test_pictures_and_texts_are_encoded_by_the_latest_version_or_the_one_asked_for(channel, encoders):
    encoders.versions["image_encoder"] = [3, 12]
    version, vectors = images(channel).encode([picture((1, 2, 3)), picture((4, 5, 6))])
    assert (version, vectors.dtype, vectors.tolist()) == ("12", np.float32, [[1, 2, 3, 12], [4, 5, 6, 12]])
    assert images(channel).encode([picture((1, 2, 3))], "3")[0] == "3"
    texts = RemoteEncoder(channel, "text", "text_encoder", 5.0)
    assert texts.encode([b"A"])[1].tolist() == [[1, 65, 1]]


@pytest.mark.parametrize(
    "code",
    [
        "UNAVAILABLE",
        "DEADLINE_EXCEEDED",
        "CANCELLED",
        "ABORTED",
        "NOT_FOUND",
        "FAILED_PRECONDITION",
        "UNIMPLEMENTED",
        "UNAUTHENTICATED",
        "PERMISSION_DENIED",
    ],
)
def test_outages_blame_no_item(channel, encoders, code):
    encoders.failure = grpc.StatusCode[code]
    with pytest.raises(EncoderUnavailable, match=f"{code}: image_encoder: told to fail") as error:
        images(channel).encode([picture((1, 2, 3))])
    assert error.value.code == grpc.StatusCode[code]


@pytest.mark.parametrize("code", ["INVALID_ARGUMENT", "INTERNAL", "UNKNOWN", "RESOURCE_EXHAUSTED"])
def test_other_failures_are_those_of_the_values(channel, encoders, code):
    encoders.poison_code = grpc.StatusCode[code]
    with pytest.raises(EncoderRefused, match=f"{code}: image_encoder: poison"):
        images(channel).encode([picture(POISON)])


def test_a_version_that_is_not_there(channel):
    with pytest.raises(EncoderUnavailable, match="NOT_FOUND"):
        images(channel).encode([picture((1, 2, 3))], "99")


def test_a_call_ends_at_its_deadline(channel, encoders):
    encoders.delay_seconds = 5.0
    with pytest.raises(EncoderUnavailable, match="DEADLINE_EXCEEDED"):
        images(channel, timeout_seconds=0.1).encode([picture((1, 2, 3))])


def test_no_server_is_an_outage_and_a_new_one_on_its_port_is_found():
    with FakeEncoders() as first:
        port = first.port
    with open_channel(first.address) as channel:
        encoder = images(channel)
        with pytest.raises(EncoderUnavailable, match="UNAVAILABLE"):
            encoder.encode([picture((1, 2, 3))])
        with FakeEncoders(port):
            found = None
            while found is None:
                try:
                    found = encoder.encode([picture((1, 2, 3))])
                except EncoderUnavailable as error:
                    assert error.code == grpc.StatusCode.UNAVAILABLE
    assert found[1].tolist() == [[1, 2, 3, 1]]


@pytest.mark.parametrize(
    ("name", "answer", "message"),
    [
        ("scores", np.ones((1, 2), np.float32), "outputs ..scores"),
        ("embedding", np.ones((1, 2), np.float64), r"float64 \[1, 2\]"),
        ("embedding", np.ones((2, 2), np.float32), r"float32 \[2, 2\]"),
        ("embedding", np.ones(1, np.float32), r"float32 \[1\]"),
        ("embedding", np.ones((1, 0), np.float32), r"float32 \[1, 0\]"),
    ],
)
def test_an_answer_that_no_encoder_gives_blames_no_item(channel, name, answer, message):
    encoder = images(channel)
    response = tf.make_tensor_proto(answer)

    class Stub:
        def Predict(self, request, timeout):
            from tensorflow_serving.apis import predict_pb2

            found = predict_pb2.PredictResponse()
            found.outputs[name].CopyFrom(response)
            return found

    encoder._stub = Stub()
    with pytest.raises(EncoderUnavailable, match=rf"expected an output embedding .* got {message}"):
        encoder.encode([b"x"])


def test_a_message_is_cut(channel, encoders, monkeypatch):
    def fail(_data, _version):
        raise ValueError("x" * 5_000 + "\nmore")

    monkeypatch.setattr("tests.support.fake_encoders.image_vector", fail)
    with pytest.raises(EncoderRefused) as error:
        images(channel).encode([picture((1, 2, 3))])
    assert len(str(error.value)) < 300
