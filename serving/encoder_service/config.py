"""Configuration of the encoder service."""

import math
from dataclasses import dataclass

from transforms.ingest_config import IngestConfig
from transforms.input_error import InputError


@dataclass(frozen=True)
class EncoderServiceConfig:
    """The encoder service.

    Attributes:
        image_model: the name under which the model server has the encoder of pictures.
        text_model: the name of the encoder of titles.
        workers: threads that work off batches of their own.
        batch_size: items of a batch, at most.
        lease_seconds: how long a worker that says nothing keeps its items; all workers of a queue have the same.
        encoder_timeout_seconds: of each call of an encoder.
        poll_seconds: how long a worker sleeps before it looks again into an empty queue.
        min_backoff_seconds: before the first new try; doubled for each further one.
        max_backoff_seconds: before any new try, at most.
        max_attempts: tries of an item that alone fails at an encoder that is well.
        max_image_bytes: larger pictures are refused unread, as in the logs.
        max_image_pixels: pictures that would decode to more are refused undecoded, as in the logs.
    """

    image_model: str = "image_encoder"
    text_model: str = "text_encoder"
    workers: int = 2
    batch_size: int = 32
    lease_seconds: float = 15.0
    encoder_timeout_seconds: float = 10.0
    poll_seconds: float = 0.1
    min_backoff_seconds: float = 0.2
    max_backoff_seconds: float = 5.0
    max_attempts: int = 8
    max_image_bytes: int = IngestConfig.max_image_bytes
    max_image_pixels: int = IngestConfig.max_image_pixels

    def __post_init__(self) -> None:
        for name in ("workers", "batch_size", "max_attempts", "max_image_bytes", "max_image_pixels"):
            self._check(name, getattr(self, name) >= 1, "at least 1")
        for name in (
            "lease_seconds",
            "encoder_timeout_seconds",
            "poll_seconds",
            "min_backoff_seconds",
            "max_backoff_seconds",
        ):
            value = getattr(self, name)
            self._check(name, math.isfinite(value) and value > 0, "positive and finite")
        for name in ("image_model", "text_model"):
            self._check(name, bool(getattr(self, name)), "a model's name")
        least = self.min_backoff_seconds
        self._check("max_backoff_seconds", self.max_backoff_seconds >= least, f"at least {least}")

    def _check(self, name: str, holds: bool, wanted: str) -> None:
        if not holds:
            raise InputError(f"encoder_service.{name} must be {wanted}, got {getattr(self, name)!r}")
