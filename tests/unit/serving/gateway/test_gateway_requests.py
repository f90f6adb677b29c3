"""Bounds of requests."""

import pytest

from serving.gateway.requests import Behavior, RecommendRequest, SimilarRequest
from transforms.input_error import InputError

SURROGATE = "\ud800"


@pytest.mark.parametrize(
    "asked",
    [
        {"k": 0},
        {"k": 201},
        {"behaviors": [Behavior("i")] * 501},
        {"behaviors": [Behavior("")]},
        {"behaviors": [Behavior("i", SURROGATE)]},
        {"behaviors": [Behavior("i", None, "s" * 16_385)]},
        {"blocked_item_ids": ["i"] * 10_001},
        {"blocked_item_ids": [SURROGATE]},
        {"also_rank": ["i"] * 51},
        {"also_rank": ["i" * 257]},
        {"user": {SURROGATE: "x"}},
        {"user": {"city": SURROGATE}},
        {"user": {"city": "a\0b"}},
    ],
    ids=str,
)
def test_recommend_refuses_what_is_beyond_the_bounds(asked: dict) -> None:
    with pytest.raises(InputError):
        RecommendRequest(**{"user": {}, **asked})


def test_recommend_takes_what_is_within_them() -> None:
    RecommendRequest(
        {"city": "x" * 16_384, "age": 3.5},
        [Behavior("i" * 256, "", "s")] * 500,
        k=200,
        blocked_item_ids=["i"] * 10_000,
        also_rank=["i"] * 50,
    )


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "expected exactly one of item_id, text and image, got none"),
        ({"text": "red", "image": b"x"}, "expected exactly one of item_id, text and image, got text and image"),
        ({"text": "red", "modality": "image"}, "request.modality must be text, got 'image'"),
        ({"item_id": "i", "modality": "sound"}, "request.modality must be image or text, got 'sound'"),
        ({"item_id": ""}, "expected an item id of 1 to 256 bytes, got 0: ''"),
        ({"text": "red", "k": 0}, "request.k must be 1 to 200, got 0"),
        ({"text": SURROGATE}, "request.text: expected a text that UTF-8 can hold"),
    ],
)  # fmt: skip
def test_similar_refuses_what_cannot_be(asked: dict, message: str) -> None:
    with pytest.raises(InputError) as error:
        SimilarRequest(**asked)
    assert str(error.value).startswith(message)
