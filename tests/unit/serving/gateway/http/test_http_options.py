"""Limits of the gateway's HTTP server."""

from typing import Any

import pytest

from serving.gateway.http.http_options import HttpOptions
from transforms.input_error import InputError


def test_the_largest_picture_fits_into_a_body() -> None:
    options = HttpOptions()
    # Base64 has four characters for three bytes; the rest of an item's body is below 1 MB.
    assert options.max_image_bytes * 4 / 3 + 1_000_000 <= options.max_body_bytes


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_running": 0}, "gateway.max_running must be at least 1, got 0"),
        ({"max_waiting": -1}, "gateway.max_waiting must be at least 1, got -1"),
        ({"rate_limit": -1.0}, "gateway.rate_limit must be 0 or more"),
        ({"rate_limit": float("nan")}, "gateway.rate_limit must be 0 or more"),
        ({"deadline_seconds": 0.0}, "gateway.deadline_seconds must be positive and finite"),
        ({"body_seconds": float("inf")}, "gateway.body_seconds must be positive and finite"),
        ({"max_image_bytes": 20_000_001}, "gateway.max_image_bytes must be at most 20000000"),
        ({"max_buffered_bytes": 1_000}, "gateway.max_body_bytes must be at most max_buffered_bytes"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        HttpOptions(**settings)
