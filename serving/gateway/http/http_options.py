"""Limits of the gateway's HTTP server."""

import math
from dataclasses import dataclass
from functools import partial

from serving.item_queue.new_item import MAX_IMAGE_BYTES
from transforms.ingest_config import IngestConfig
from transforms.input_error import check_setting

_check = partial(check_setting, "gateway")


@dataclass(frozen=True)
class HttpOptions:
    """Limits of the gateway's HTTP server.

    Attributes:
        max_body_bytes: of a request's body; the largest picture in base64 and a title fit in.
        max_image_bytes: of a picture.
        max_image_pixels: of a picture, by its header.
        max_buffered_bytes: of all bodies that are held at once; further requests with a body get 503.
        body_seconds: within which a body has to come.
        deadline_seconds: within which an answer is there; after it the client gets 504.
        rate_limit: requests a second of one client, twice as many at once; 0: any number.
        max_running: requests that are worked on at once.
        max_waiting: requests that wait for that; further ones get 503.
        max_connections: that are open at once; further ones get 503.
        serves_inspector: whether the inspector page is at `/`.
    """

    max_body_bytes: int = 28_000_000
    max_image_bytes: int = MAX_IMAGE_BYTES
    max_image_pixels: int = IngestConfig.max_image_pixels
    max_buffered_bytes: int = 256 << 20
    body_seconds: float = 20.0
    deadline_seconds: float = 10.0
    rate_limit: float = 1_000.0
    max_running: int = 8
    max_waiting: int = 64
    max_connections: int = 512
    serves_inspector: bool = True

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name.startswith("max_"):
                _check(name, value, value >= 1, "at least 1")
            elif name.endswith("_seconds"):
                _check(name, value, math.isfinite(value) and value > 0, "positive and finite")
        is_rate = math.isfinite(self.rate_limit) and self.rate_limit >= 0
        _check("rate_limit", self.rate_limit, is_rate, "0 or more, and finite")
        limit = MAX_IMAGE_BYTES
        _check("max_image_bytes", self.max_image_bytes, self.max_image_bytes <= limit, f"at most {limit}")
        fits = self.max_body_bytes <= self.max_buffered_bytes
        _check("max_body_bytes", self.max_body_bytes, fits, "at most max_buffered_bytes")
