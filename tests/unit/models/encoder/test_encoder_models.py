"""The encoders as Keras models, and the model of titles and pictures."""

import math
from collections.abc import Callable
from pathlib import Path

import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf

from models.encoder.image_encoder import ImageEncoder
from models.encoder.scl_model import SclModel
from models.encoder.text_encoder import TextEncoder
from models.encoder.title_image_model import TitleImageModel
from models.layers.embedding_head import EmbeddingHead

PADDING = 3


def _image_encoder(**kwargs: object) -> ImageEncoder:
    backbone = keras_hub.models.ViTBackbone(
        image_shape=(16, 16, 3), patch_size=8, num_layers=1, num_heads=2, hidden_dim=16, mlp_dim=16
    )
    return ImageEncoder(backbone, 6, seed=1, **kwargs)


def _text_encoder(**kwargs: object) -> TextEncoder:
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=20,
        num_layers=1,
        num_heads=2,
        hidden_dim=16,
        intermediate_dim=16,
        max_sequence_length=8,
        dropout=0.0,
    )
    return TextEncoder(backbone, 6, padding_id=PADDING, seed=1, **kwargs)


def _pixels() -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (4, 16, 16, 3)).astype(np.float32)


def _tokens() -> np.ndarray:
    tokens = np.random.default_rng(0).integers(4, 20, (4, 8)).astype(np.int32)
    tokens[1, 3:] = tokens[2, 1:] = PADDING
    return tokens


Make = Callable[..., keras.Model]
EVERY = {"image": (_image_encoder, _pixels()), "text": (_text_encoder, _tokens())}
every_encoder = pytest.mark.parametrize("make, inputs", EVERY.values(), ids=EVERY.keys())


@every_encoder
def test_saves_and_loads(make: Make, inputs: np.ndarray, tmp_path: Path) -> None:
    encoder = make()
    expected = encoder(inputs)
    np.testing.assert_allclose(np.linalg.norm(expected, axis=1), np.ones(4), rtol=1e-5)
    encoder.save(tmp_path / "encoder.keras")
    loaded = keras.models.load_model(tmp_path / "encoder.keras")
    assert type(loaded) is type(encoder)
    np.testing.assert_array_equal(loaded(inputs), expected)
    own = {"backbone": None}
    assert loaded.get_config() | own == encoder.get_config() | own


@every_encoder
def test_config_round_trip(make: Make, inputs: np.ndarray) -> None:
    encoder = make()
    copy = type(encoder).from_config(encoder.get_config())
    copy.set_weights(encoder.get_weights())
    np.testing.assert_array_equal(copy(inputs), encoder(inputs))


@every_encoder
def test_contrastive_model_saves_and_loads_around_it(make: Make, inputs: np.ndarray, tmp_path: Path) -> None:
    model = SclModel(make(), 6, queue_size=5, momentum=0.5)
    model.compile(optimizer=keras.optimizers.Adam(0.01), jit_compile=False)
    batch = {name: inputs for name in ("query", "positive", "negative")}
    batch |= {"has_negative": np.ones(4, np.float32), "item_id": np.arange(4, dtype=np.int32)}
    model.train_on_batch(batch)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for weight, other in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, other)
    # The optimizer's state comes along: the next step is the same.
    losses = [float(one.train_on_batch(batch)) for one in (model, loaded)]
    np.testing.assert_allclose(*losses, rtol=1e-6)


@every_encoder
def test_low_precision_inside_gives_full_precision_outside(make: Make, inputs: np.ndarray) -> None:
    with_policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        encoder = make()
    finally:
        keras.config.set_dtype_policy(with_policy)
    plain = make()
    encoder.set_weights(plain.get_weights())
    output = encoder(inputs)
    assert output.dtype == tf.float32
    np.testing.assert_allclose(np.linalg.norm(output, axis=1), np.ones(4), rtol=1e-5)
    assert (np.sum(output * plain(inputs), axis=1) > 0.99).all()


def test_pixels_are_scaled_by_channel() -> None:
    # Whatever mean and scale are, pixels that come to the same numbers give the same vectors.
    plain = _image_encoder(pixel_mean=(0.0, 0.0, 0.0), pixel_scale=(1.0, 1.0, 1.0))
    scaled = _image_encoder(pixel_mean=(10.0, 20.0, 30.0), pixel_scale=(2.0, 4.0, 5.0))
    scaled.set_weights(plain.get_weights())
    pixels = _pixels()
    expected = plain((pixels - np.array([10, 20, 30])) / np.array([2, 4, 5]))
    np.testing.assert_allclose(scaled(pixels), expected, atol=1e-5)


def test_features_of_a_convolutional_network_are_averaged_over_places() -> None:
    # The "network" gives the pixels as they are; without a projection the mean color is left, over its length.
    inputs = keras.Input((2, 2, 3))
    backbone = keras.Model(inputs, keras.layers.Identity()(inputs))
    encoder = ImageEncoder(backbone, None, pixel_mean=(0.0, 0.0, 0.0), pixel_scale=(1.0, 1.0, 1.0))
    # Reds 0, 0, 4, 8 and greens 4, 4, 4, 4: means 3 and 4, of length 5.
    pixels = np.array([[[[0, 4, 0], [0, 4, 0]], [[4, 4, 0], [8, 4, 0]]]], np.float32)
    np.testing.assert_allclose(encoder(pixels), [[0.6, 0.8, 0]], rtol=1e-6)


def test_padding_changes_nothing() -> None:
    encoder = _text_encoder()
    tokens = _tokens()
    np.testing.assert_allclose(encoder(tokens[1:2, :3]), encoder(tokens[1:2]), atol=1e-5)
    np.testing.assert_allclose(encoder(tokens[2:3, :1]), encoder(tokens[2:3]), atol=1e-5)
    assert np.isfinite(encoder(np.full((1, 8), PADDING, np.int32))).all()


def _plane_model(temperature: float = 0.5) -> TitleImageModel:
    """Both towers begin as the identity of the plane."""
    towers = [keras.Sequential([keras.Input((2,)), EmbeddingHead(2)]) for _ in range(2)]
    for tower in towers:
        tower.set_weights([np.eye(2)])
    return TitleImageModel(*towers, temperature=temperature)


def test_title_image_loss_by_hand() -> None:
    # Scale 2. Pictures (1, 0), (0, 1), titles (0.6, 0.8), (0, 1): similarities [[0.6, 0], [0.8, 1]], doubled
    # [[1.2, 0], [1.6, 2]]. Pictures look for titles: ln(1 + exp(-1.2)), ln(1 + exp(1.6 - 2)); titles for
    # pictures: ln(1 + exp(1.6 - 1.2)), ln(1 + exp(-2)).
    model = _plane_model()
    batch = {
        "image": np.array([[1, 0], [0, 1]], np.float32),
        "text": np.array([[0.6, 0.8], [0, 1]], np.float32),
        "item_id": np.array([3, 4], np.int32),
    }
    model.compile(optimizer=keras.optimizers.SGD(0.5), jit_compile=False)
    exponents = (-1.2, -0.4, 0.4, -2)
    expected = sum(math.log(1 + math.exp(exponent)) for exponent in exponents) / 4
    np.testing.assert_allclose(float(model.train_on_batch(batch)), expected, rtol=1e-6)
    # Both towers and the temperature learn.
    assert not np.allclose(model.image_encoder.get_weights()[0], np.eye(2))
    assert not np.allclose(model.text_encoder.get_weights()[0], np.eye(2))
    assert float(model.log_scale.numpy()) != pytest.approx(math.log(2), abs=1e-4)
    assert float(model.train_on_batch(batch)) < expected


def test_title_image_model_takes_no_item_for_its_own_negative() -> None:
    model = _plane_model()
    batch = {"image": np.eye(2, dtype=np.float32), "text": np.eye(2, dtype=np.float32)[::-1]}
    model(batch | {"item_id": np.array([3, 3], np.int32)}, training=True)
    assert [float(loss) for loss in model.losses] == [0]


def test_title_image_model_saves_and_loads(tmp_path: Path) -> None:
    model = TitleImageModel(_image_encoder(), _text_encoder(), temperature=0.2)
    batch = {"image": _pixels(), "text": _tokens(), "item_id": np.arange(4, dtype=np.int32)}
    model.compile(optimizer=keras.optimizers.Adam(0.01), jit_compile=False)
    model.train_on_batch(batch)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for output, expected in zip(loaded(batch), model(batch), strict=True):
        np.testing.assert_array_equal(output, expected)
    assert loaded.temperature == 0.2
    assert (
        float(loaded.log_scale.numpy())
        == float(model.log_scale.numpy())
        != pytest.approx(math.log(5), abs=1e-4)
    )
