"""What an exported model says of itself, and how it is batched."""

from pathlib import Path

import pytest

from serving.batching_file import BATCHING_FILE, write_batching_file
from serving.encoder_service.config import EncoderServiceConfig
from serving.model_description import read_description, write_description
from serving.model_server.batching_parameters import BatchingParameters
from serving.warm_up_requests import ENCODED
from transforms.input_error import InputError


def test_a_description_comes_back(tmp_path: Path) -> None:
    description = {"model": "simtier", "encoders": {"image": "ü"}}
    write_description(str(tmp_path), description)
    assert read_description(str(tmp_path)) == description
    assert (tmp_path / "assets.extra" / "description.json").is_file()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "expected assets.extra/description.json, got none"),
        (b"{", "expected JSON"),
        (b"\xff", "expected JSON"),
        (b"[]", "expected an object, got list"),
    ],
)
def test_a_model_that_says_nothing(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "assets.extra").mkdir()
        (tmp_path / "assets.extra" / "description.json").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_description(str(tmp_path))


def test_the_server_reads_the_batching_file(tmp_path: Path) -> None:
    write_batching_file(str(tmp_path))
    parameters = BatchingParameters.read(tmp_path / BATCHING_FILE)
    assert (parameters.max_batch_size, parameters.batch_timeout_micros) == (128, 1000)
    # A batch takes what the encoder service and the warm-up send at once.
    assert parameters.max_batch_size >= max(EncoderServiceConfig().batch_size, *ENCODED)
