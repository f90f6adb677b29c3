"""Encoders that start from a preset folder: what stays frozen, and sizes that do not fit."""

from pathlib import Path

import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf

from models.encoder.build import build_encoder, build_image_encoder
from models.encoder.config import ImageEncoderConfig, TextEncoderConfig
from models.encoder.image_encoder import ImageEncoder
from models.encoder.scl_model import SclModel
from transforms.input_error import InputError

DIM = 4
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "red", "shoe"]
# No other layer of the network has variables of these names.
OF_BATCH_NORMS = ("gamma", "beta", "moving_mean", "moving_variance")


def _save_convolutional_preset(folder: Path) -> None:
    """An EfficientNet of two blocks without dropout, its batch norms unlike what any batch would give."""
    backbone = keras_hub.models.EfficientNetBackbone(
        stackwise_width_coefficients=[1.0] * 2,
        stackwise_depth_coefficients=[1.0] * 2,
        stackwise_kernel_sizes=[3, 3],
        stackwise_num_repeats=[1, 1],
        stackwise_input_filters=[8, 8],
        stackwise_output_filters=[8, 8],
        stackwise_expansion_ratios=[1, 2],
        stackwise_strides=[1, 2],
        stackwise_squeeze_and_excite_ratios=[0.0, 0.0],
        stackwise_block_types=["v1", "unfused"],
        dropout=0.0,
    )
    rng = np.random.default_rng(0)
    for variable in _of_batch_norms(backbone):
        variable.assign(rng.uniform(0.5, 2, variable.shape))
    backbone.save_to_preset(str(folder))
    keras_hub.layers.EfficientNetImageConverter(scale=1 / 128, offset=-1.0).save_to_preset(str(folder))


def _of_batch_norms(model: keras.Model) -> list[keras.Variable]:
    return [variable for variable in model.variables if variable.name in OF_BATCH_NORMS]


@pytest.fixture(scope="module")
def convolutional_preset(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("convolutional")
    _save_convolutional_preset(folder)
    return str(folder)


@pytest.fixture
def pretrained_encoder(convolutional_preset: str) -> ImageEncoder:
    return build_image_encoder(
        ImageEncoderConfig(backbone=convolutional_preset, image_size=16, embedding_dim=DIM)
    )


def _pixels(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 255, (4, 16, 16, 3)).astype(np.float32)


# Batch normalizations.


def test_training_normalizes_as_serving_does(pretrained_encoder: ImageEncoder) -> None:
    pixels = _pixels(0)
    served = pretrained_encoder(pixels, training=False)
    np.testing.assert_allclose(pretrained_encoder(pixels, training=True), served, atol=1e-6)
    # Nor does a vector depend on its batch.
    alone = pretrained_encoder(pixels[:1], training=True)
    np.testing.assert_allclose(alone, served[:1], atol=1e-6)


@pytest.mark.parametrize("queue_size", [0, 8])
def test_a_step_leaves_batch_norms_alone(pretrained_encoder: ImageEncoder, queue_size: int) -> None:
    frozen = _of_batch_norms(pretrained_encoder)
    # Stem, 2 in the block that does not expand, 3 in the one that does, top: 7 of 4 variables each.
    assert len(frozen) == 28
    trainable = {id(variable) for variable in pretrained_encoder.trainable_variables}
    assert not trainable & {id(variable) for variable in frozen}
    # The kernels of stem, top and blocks (2 and 3), and the projection: all else is trained.
    assert len(trainable) == 8

    before = [variable.numpy() for variable in frozen]
    kernels = [variable.numpy() for variable in pretrained_encoder.trainable_variables]
    model = SclModel(pretrained_encoder, DIM, queue_size=queue_size, momentum=0.5)
    model.compile(optimizer=keras.optimizers.AdamW(0.01, weight_decay=0.1), jit_compile=False)
    batch = {role: _pixels(seed) for seed, role in enumerate(("query", "positive", "negative"))}
    model.train_on_batch(
        batch | {"has_negative": np.ones(4, np.float32), "item_id": np.arange(4, dtype=np.int32)}
    )
    for variable, value in zip(frozen, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    for variable, value in zip(pretrained_encoder.trainable_variables, kernels, strict=True):
        assert not np.array_equal(variable, value)


# Sizes.


@pytest.fixture(scope="module")
def transformer_preset(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp("transformer"))
    keras_hub.models.ViTBackbone(
        image_shape=(16, 16, 3), patch_size=8, num_layers=1, num_heads=1, hidden_dim=4, mlp_dim=4
    ).save_to_preset(folder)
    keras_hub.layers.ViTImageConverter(image_size=(16, 16), scale=1 / 128, offset=-1.0).save_to_preset(folder)
    return folder


@pytest.mark.parametrize("image_size", [8, 24])
def test_a_size_that_a_backbone_does_not_take_is_told(transformer_preset: str, image_size: int) -> None:
    config = ImageEncoderConfig(backbone=transformer_preset, image_size=image_size)
    with pytest.raises(InputError) as caught:
        build_encoder(config, [])
    assert str(caught.value) == (
        f"image_encoder.image_size must fit the backbone {transformer_preset}, which takes pictures of 16 x 16, "
        f"got {image_size}"
    )


def test_a_backbones_own_size_fits(transformer_preset: str) -> None:
    config = ImageEncoderConfig(backbone=transformer_preset, image_size=16, embedding_dim=DIM)
    assert build_image_encoder(config)(_pixels(0)).shape == (4, DIM)


def test_a_convolutional_backbone_takes_any_size(convolutional_preset: str) -> None:
    config = ImageEncoderConfig(backbone=convolutional_preset, image_size=23, embedding_dim=DIM)
    assert build_image_encoder(config)(np.zeros((1, 23, 23, 3), np.float32)).shape == (1, DIM)


@pytest.fixture(scope="module")
def text_preset(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp("text"))
    keras_hub.models.BertBackbone(
        vocabulary_size=len(VOCABULARY),
        num_layers=1,
        num_heads=1,
        hidden_dim=4,
        intermediate_dim=4,
        max_sequence_length=6,
    ).save_to_preset(folder)
    keras_hub.models.BertTokenizer(VOCABULARY).save_to_preset(folder)
    return folder


def test_texts_longer_than_a_backbone_takes_are_told(text_preset: str) -> None:
    config = TextEncoderConfig(backbone=text_preset, max_length=7)
    with pytest.raises(InputError) as caught:
        build_encoder(config, [])
    assert str(caught.value) == (
        f"text_encoder.max_length must be at most 6, the tokens that the backbone {text_preset} has positions "
        "for, got 7"
    )


@pytest.mark.parametrize("max_length", [4, 6])
def test_texts_up_to_a_backbones_longest_fit(text_preset: str, max_length: int) -> None:
    config = TextEncoderConfig(backbone=text_preset, max_length=max_length, embedding_dim=DIM)
    assert build_encoder(config, [])(tf.constant(["red shoe " * 9])).shape == (1, DIM)
