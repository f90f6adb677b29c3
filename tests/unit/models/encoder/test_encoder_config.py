"""Configuration of the encoders: a bad value is said in one line that names it."""

import pytest

from models.encoder.config import EncoderConfig, ImageEncoderConfig, TextEncoderConfig
from transforms.configuration import from_json, to_json
from transforms.input_error import InputError

NAN = float("nan")

COMMON = [
    ("method", "contrastive"),
    ("strategy", "parameter_server"),
    ("embedding_dim", 0),
    ("batch_size", 0),
    ("epochs", 0),
    ("patience", 0),
    ("shuffle_buffer", 0),
    ("queue_size", -1),
    ("checkpoint_steps", -1),
    ("triplet_weight", -0.1),
    ("triplet_margin", -0.1),
    ("weight_decay", -0.1),
    ("momentum", -0.1),
    ("momentum", 1.0),
    ("warmup_fraction", -0.1),
    ("warmup_fraction", 1.0),
    ("temperature", 0.0),
    ("learning_rate", 0.0),
    ("global_clipnorm", 0.0),
    ("num_layers", 0),
    ("num_heads", 0),
    ("hidden_dim", 0),
    ("hidden_dim", 98),  # no multiple of 4 heads
    ("mlp_dim", 0),
    *((name, NAN) for name in ("triplet_weight", "momentum", "temperature", "learning_rate")),
]
IMAGE = [
    ("image_size", 0),
    ("patch_size", 0),
    ("image_size", 60),
    ("augmentation", -0.1),
    ("augmentation", 1.1),
]
TEXT = [("vocabulary_size", 99), ("max_length", 2), ("dropout", -0.1), ("dropout", 1.0)]
BAD = [
    *((kind, *case) for kind in (ImageEncoderConfig, TextEncoderConfig) for case in COMMON),
    *((ImageEncoderConfig, *case) for case in IMAGE),
    *((TextEncoderConfig, *case) for case in TEXT),
]


@pytest.mark.parametrize("kind, name, value", BAD)
def test_a_bad_value_is_named(kind: type[EncoderConfig], name: str, value: object) -> None:
    section = {ImageEncoderConfig: "image_encoder", TextEncoderConfig: "text_encoder"}[kind]
    with pytest.raises(InputError) as caught:
        kind(**{name: value})
    message = str(caught.value)
    assert message.startswith(f"{section}.{name} must be ")
    assert message.endswith(f", got {value!r}")
    assert "\n" not in message


@pytest.mark.parametrize(
    "kind, values",
    [
        (
            ImageEncoderConfig,
            {"momentum": 0.0, "queue_size": 0, "global_clipnorm": None, "augmentation": 1.0},
        ),
        (ImageEncoderConfig, {"triplet_weight": 0.0, "warmup_fraction": 0.0, "weight_decay": 0.0}),
        (TextEncoderConfig, {"max_length": 3, "dropout": 0.0, "vocabulary_size": 100}),
        # A backbone brings its own sizes.
        (ImageEncoderConfig, {"backbone": "a folder", "image_size": 225, "hidden_dim": 97}),
        (TextEncoderConfig, {"backbone": "a folder", "hidden_dim": 97}),
    ],
)
def test_values_at_the_borders_are_good(kind: type[EncoderConfig], values: dict[str, object]) -> None:
    config = kind(**values)
    assert from_json(kind, to_json(config)) == config
