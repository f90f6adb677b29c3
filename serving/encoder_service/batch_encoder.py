"""Encodes batches of which some values cannot be encoded."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import grpc
import numpy as np
from PIL import Image

from serving.encoder_service.errors import EncoderRefused, EncoderUnavailable

UNREADABLE = {"image": "undecodable_image", "text": "unreadable_text"}
NOT_FINITE = "not_finite"


class Encoder(Protocol):
    """What encodes one batch; see `RemoteEncoder`."""

    modality: str

    def encode(self, values: Sequence[bytes], version: str | None = None) -> tuple[str, np.ndarray]:
        """The version that answered, and vectors, float32 `[batch, dim]`."""


@dataclass(frozen=True)
class Encoded:
    """A value's vector.

    Attributes:
        version: of the encoder.
        vector: float32 `[dim]`, finite.
    """

    version: str
    vector: np.ndarray


@dataclass(frozen=True)
class Refusal:
    """Why a value has no vector.

    Attributes:
        reason: in words.
        is_final: whether another try would end the same.
    """

    reason: str
    is_final: bool


class BatchEncoder:
    """Encodes batches; what the encoder cannot encode costs the others of its batch nothing but time.

    A batch that the encoder refuses is halved until the refused values are alone. They are blamed only if the
    encoder, asked right after, encodes a sound picture or text: a wrong model under the right name refuses all.

    Args:
        encoder: encodes one batch.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.modality = encoder.modality
        self._sound = _sound_picture() if encoder.modality == "image" else b"a"

    def encode(self, values: Sequence[bytes], version: str | None = None) -> list[Encoded | Refusal]:
        """Encodes values, each to its vector or the reason why it has none.

        Raises:
            EncoderUnavailable: the encoder does not answer, or refuses even what is sound.
        """
        answers = self._encode(values, version)
        if any(isinstance(answer, Refusal) for answer in answers):
            self.probe(version)
        return answers

    def probe(self, version: str | None = None) -> str:
        """Has the encoder encode a sound value. Returns the version that answered."""
        try:
            return self.encoder.encode([self._sound], version)[0]
        except EncoderRefused as error:
            raise EncoderUnavailable(error.code, f"refuses a sound {self.modality}: {error}") from error

    def _encode(self, values: Sequence[bytes], version: str | None) -> list[Encoded | Refusal]:
        if not values:
            return []
        try:
            answered, vectors = self.encoder.encode(values, version)
        except EncoderRefused as error:
            if len(values) == 1:
                return [self._refusal(error)]
            middle = len(values) // 2
            return self._encode(values[:middle], version) + self._encode(values[middle:], version)
        is_finite = np.isfinite(vectors).all(axis=1)
        return [
            Encoded(answered, vector) if finite else Refusal(f"{self.modality}: {NOT_FINITE}", is_final=True)
            for vector, finite in zip(vectors, is_finite, strict=True)
        ]

    def _refusal(self, error: EncoderRefused) -> Refusal:
        is_final = error.code == grpc.StatusCode.INVALID_ARGUMENT
        return Refusal(f"{UNREADABLE[self.modality]}: {error}" if is_final else str(error), is_final)


def _sound_picture() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (16, 16), (128, 128, 128)).save(stream, "PNG")
    return stream.getvalue()
