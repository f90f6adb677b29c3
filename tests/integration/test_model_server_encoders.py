"""The project's own encoders, as they are pushed, behind the model server: Keras and TensorFlow Text in the graph."""

import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import made_pairs
import numpy as np
import pytest
from PIL import Image
from served_models import Client, models_config, running, values

from models.encoder.build import build_encoder
from models.encoder.bytes_encoder import BytesEncoder
from models.encoder.config import ImageEncoderConfig, TextEncoderConfig
from serving.batching_file import write_batching_file
from serving.encoder_signatures import save_encoder
from serving.model_server.batching_parameters import BatchingParameters
from serving.warm_up_requests import write_warm_up_requests

SMALL: dict[str, Any] = {"embedding_dim": 8, "num_layers": 1, "num_heads": 2, "hidden_dim": 16, "mlp_dim": 16}
CONFIGS = {
    "image_encoder": ImageEncoderConfig(image_size=16, patch_size=8, **SMALL),
    "text_encoder": TextEncoderConfig(max_length=8, vocabulary_size=100, **SMALL),
}
TEXTS = [b"a red shoe", "红色的鞋子".encode(), b"", b"\xff\xfe red"]


def picture(color: tuple[int, int, int]) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (20, 30), color).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, BytesEncoder]]:
    folder = tmp_path_factory.mktemp("encoders")
    pairs = made_pairs.write_pairs(folder / "pairs", 24)
    encoders = {name: build_encoder(config, pairs) for name, config in CONFIGS.items()}
    for name, encoder in encoders.items():
        pushed = str(folder / name / "1")
        save_encoder(encoder, "scl", str(folder), pushed)
        write_warm_up_requests(pushed)
        write_batching_file(pushed)
    return folder, encoders


@pytest.fixture(scope="module", params=["one by one", "batched"])
def client(
    request: pytest.FixtureRequest, encoders: tuple[Path, dict[str, BytesEncoder]]
) -> Iterator[Client]:
    config = models_config(*((name, encoders[0] / name) for name in CONFIGS))
    # As they are pushed, with the parameters beside the model.
    batching = BatchingParameters() if request.param == "batched" else None
    with running(config, batching=batching, per_model_batching=True) as client:
        yield client


def test_they_are_warmed_up_before_they_are_available(
    encoders: tuple[Path, dict[str, BytesEncoder]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    names = list(CONFIGS)
    with running(
        models_config(*((name, encoders[0] / name) for name in names)),
        batching=BatchingParameters(),
        per_model_batching=True,
    ):
        told = [record.getMessage() for record in caplog.records]
    for name in names:
        folder = encoders[0] / name / "1"
        assert f"model {name} loaded from {folder}, 2 warm-up requests answered" in told


def test_texts(client: Client, encoders: tuple[Path, dict[str, BytesEncoder]]) -> None:
    response = client.predict(name="text_encoder", text=TEXTS)
    expected = encoders[1]["text_encoder"](np.array(TEXTS, object)).numpy()
    np.testing.assert_allclose(values(response, "embedding"), expected, atol=1e-6)
    assert response.model_spec.version.value == 1
    status, answer = client.rest_predict({"instances": ["a red shoe"]}, name="text_encoder")
    assert status == 200
    np.testing.assert_allclose(answer["predictions"][0], expected[0], atol=1e-6)


def test_pictures(client: Client, encoders: tuple[Path, dict[str, BytesEncoder]]) -> None:
    files = [picture((200, 10, 10)), picture((0, 0, 250))]
    response = client.predict(name="image_encoder", image_bytes=files)
    expected = encoders[1]["image_encoder"](np.array(files, object)).numpy()
    np.testing.assert_allclose(values(response, "embedding"), expected, atol=1e-6)
    assert not np.allclose(expected[0], expected[1])


@pytest.mark.parametrize("broken", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"\xff" * 50])
def test_a_picture_that_is_none_is_the_clients_fault(client: Client, broken: bytes) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        client.predict(name="image_encoder", image_bytes=[broken])
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert (
        len(values(client.predict(name="image_encoder", image_bytes=[picture((1, 2, 3))]), "embedding")) == 1
    )
