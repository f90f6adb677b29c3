"""How what cannot be encoded is found among what can."""

import io

import grpc
import numpy as np
import pytest
from PIL import Image

from serving.encoder_service.batch_encoder import BatchEncoder, Encoded, Refusal
from serving.encoder_service.errors import EncoderRefused, EncoderUnavailable

REFUSED = grpc.StatusCode.INVALID_ARGUMENT


class Lengths:
    """[bytes] of each value; a batch with one that begins with "bad" is refused."""

    modality = "text"

    def __init__(self, code: grpc.StatusCode = REFUSED, refuses_all: bool = False) -> None:
        self.code, self.refuses_all = code, refuses_all
        self.calls: list[list[bytes]] = []

    def encode(self, values, version=None):
        self.calls.append(list(values))
        if self.refuses_all or any(value.startswith(b"bad") for value in values):
            raise EncoderRefused(self.code, "no")
        return version or "3", np.array([[len(value)] for value in values], np.float32)


def test_a_sound_batch_is_one_call():
    encoder = Lengths()
    answers = BatchEncoder(encoder).encode([b"a", b"bb"])
    assert [(answer.version, answer.vector.tolist()) for answer in answers] == [("3", [1]), ("3", [2])]
    assert encoder.calls == [[b"a", b"bb"]]


def test_nothing_is_no_call():
    encoder = Lengths()
    assert BatchEncoder(encoder).encode([]) == []
    assert encoder.calls == []


def test_a_batch_is_halved_until_the_refused_are_alone_and_the_encoder_is_tried_with_a_sound_value():
    encoder = Lengths()
    answers = BatchEncoder(encoder).encode([b"a", b"bad", b"ccc", b"dddd"], "7")
    assert answers[1] == Refusal("unreadable_text: INVALID_ARGUMENT: no", is_final=True)
    sound = [answers[place] for place in (0, 2, 3)]
    assert all(isinstance(answer, Encoded) and answer.version == "7" for answer in sound)
    assert [answer.vector.tolist() for answer in sound] == [[1], [3], [4]]
    assert encoder.calls == [
        [b"a", b"bad", b"ccc", b"dddd"],
        [b"a", b"bad"],
        [b"a"],
        [b"bad"],
        [b"ccc", b"dddd"],
        [b"a"],
    ]


def test_an_encoder_that_refuses_what_is_sound_is_not_well():
    with pytest.raises(EncoderUnavailable, match="INVALID_ARGUMENT: refuses a sound text"):
        BatchEncoder(Lengths(refuses_all=True)).encode([b"a", b"b"])


def test_another_failure_of_one_value_is_not_final():
    answers = BatchEncoder(Lengths(grpc.StatusCode.INTERNAL)).encode([b"a", b"bad"])
    assert answers[1] == Refusal("INTERNAL: no", is_final=False)


def test_an_outage_is_passed_on():
    class Away(Lengths):
        def encode(self, values, version=None):
            raise EncoderUnavailable(grpc.StatusCode.UNAVAILABLE, "away")

    with pytest.raises(EncoderUnavailable, match="UNAVAILABLE: away"):
        BatchEncoder(Away()).encode([b"a"])


def test_a_vector_that_is_not_finite_is_none():
    class Odd(Lengths):
        def encode(self, values, version=None):
            return "3", np.array([[1.0, np.nan], [np.inf, 1.0], [1.0, 2.0]], np.float32)[: len(values)]

    answers = BatchEncoder(Odd()).encode([b"a", b"b", b"c"])
    assert answers[:2] == [Refusal("text: not_finite", is_final=True)] * 2
    assert answers[2].vector.tolist() == [1, 2]


def test_the_sound_picture_is_one():
    class Pictures(Lengths):
        modality = "image"

    encoder = Pictures()
    assert BatchEncoder(encoder).probe() == "3"
    ((data,),) = encoder.calls
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGB", (16, 16))
