"""Settings of the gateway."""

import pytest

from serving.gateway.config import GatewayConfig
from transforms.input_error import InputError


def test_names_the_encoder_of_a_modality() -> None:
    config = GatewayConfig(image_model="vit", text_model="bert")
    assert config.encoder("image") == "vit" and config.encoder("text") == "bert"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"recall_model": "../x"}, "gateway.recall_model must be a model's name, without a slash or a dot before it"),
        ({"ctr_model": ""}, "gateway.ctr_model must be a model's name"),
        ({"num_ranked": 0}, "gateway.num_ranked must be at least 1, got 0"),
        ({"num_ranked": 501}, "gateway.num_ranked must be at most num_retrieved, got 501"),
        ({"feed_poll_seconds": 0.0}, "gateway.feed_poll_seconds must be positive and finite, got 0.0"),
        ({"request_timeout_seconds": float("inf")}, "gateway.request_timeout_seconds must be positive and finite"),
    ],
)  # fmt: skip
def test_refuses_what_cannot_be(settings: dict, message: str) -> None:
    with pytest.raises(InputError) as error:
        GatewayConfig(**settings)
    assert str(error.value).startswith(message)
