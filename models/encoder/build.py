"""Builds encoders from their configuration."""

import functools
from collections.abc import Iterator, Sequence

import keras
import keras_hub
import tensorflow as tf

from models.encoder.bytes_encoder import BytesEncoder
from models.encoder.config import ImageEncoderConfig, TextEncoderConfig
from models.encoder.image_encoder import ImageEncoder
from models.encoder.pixels import decode_images
from models.encoder.pretrained import pixel_scaling, resolve_preset
from models.encoder.query_pairs import COLUMNS, read_batches
from models.encoder.text_encoder import TextEncoder
from models.encoder.tokens import Tokens
from transforms.input_error import InputError

# Texts that a vocabulary is learned from, at most.
_VOCABULARY_TEXTS = 1_000_000


def build_encoder(config: ImageEncoderConfig | TextEncoderConfig, train_files: Sequence[str]) -> BytesEncoder:
    """An encoder at its starting point, with what prepares its inputs.

    Args:
        config: of one modality or the other.
        train_files: training pairs, which a vocabulary of texts is learned from where there is none.
    Raises:
        InputError: the pretrained backbone is not there, or takes no inputs of the configured size.
    """
    if isinstance(config, ImageEncoderConfig):
        prepare = functools.partial(decode_images, image_size=config.image_size)
        return BytesEncoder(build_image_encoder(config), prepare, "image", f"{config.image_size} pixels")
    tokens = build_tokens(config, train_files)
    words = " ".join(tokens.tokenizer.get_vocabulary())
    return BytesEncoder(
        build_text_encoder(config, tokens), tokens, "text", f"{config.max_length} tokens of {words}"
    )


def leave_strategy(
    encoder: BytesEncoder, config: ImageEncoderConfig | TextEncoderConfig, strategy: str
) -> BytesEncoder:
    """The same encoder outside of the strategy that it was made under: an export must know of none."""
    if strategy == "none":
        return encoder
    if isinstance(config, ImageEncoderConfig):
        network = build_image_encoder(config)
    else:
        assert isinstance(encoder.prepare, Tokens)
        network = build_text_encoder(config, encoder.prepare)
    network.set_weights(encoder.encoder.get_weights())
    return BytesEncoder(network, encoder.prepare, encoder.modality, encoder.preparation)


def build_tokens(config: TextEncoderConfig, train_files: Sequence[str]) -> Tokens:
    """The backbone's own tokenizer, or one whose vocabulary is learned from queries and titles."""
    if config.backbone:
        return Tokens.of_preset(config.backbone, config.max_length)
    query, positive, _ = COLUMNS["text"]

    def read_texts() -> Iterator[str]:
        for batch in read_batches(train_files, "text", [query, positive]):
            for column in batch.columns:
                yield from column.to_pylist()

    dataset = tf.data.Dataset.from_generator(read_texts, output_signature=tf.TensorSpec((), tf.string))
    return Tokens.learned(dataset.take(_VOCABULARY_TEXTS), config.vocabulary_size, config.max_length)


def build_image_encoder(config: ImageEncoderConfig) -> ImageEncoder:
    """The encoder of pictures, at its starting point.

    Raises:
        InputError: the pretrained backbone is not there, or takes no pictures of `image_size`.
    """
    keras.utils.set_random_seed(config.seed)
    scaling = pixel_scaling(config.backbone) if config.backbone else None
    pixels = {} if scaling is None else {"pixel_mean": scaling.mean, "pixel_scale": scaling.scale}
    return ImageEncoder(
        _image_backbone(config), _projection(config), seed=config.seed, dtype=_policy(config), **pixels
    )


def build_text_encoder(config: TextEncoderConfig, tokens: Tokens) -> TextEncoder:
    """The encoder of texts, at its starting point.

    Raises:
        InputError: the pretrained backbone is not there, or takes no texts of `max_length`.
    """
    keras.utils.set_random_seed(config.seed)
    tokenizer = tokens.tokenizer
    backbone = (
        keras_hub.models.Backbone.from_preset(resolve_preset(config.backbone), dtype=_policy(config))
        if config.backbone
        else keras_hub.models.BertBackbone(
            vocabulary_size=tokenizer.vocabulary_size(),
            num_layers=config.num_layers,
            num_heads=config.num_heads,
            hidden_dim=config.hidden_dim,
            intermediate_dim=config.mlp_dim,
            dropout=config.dropout,
            max_sequence_length=config.max_length,
            dtype=_policy(config),
        )
    )
    _check_max_length(config, backbone)
    # BERT's own pooling of the first token is not used: the mean over the tokens is.
    backbone.pooled_dense.trainable = False
    return TextEncoder(
        backbone, _projection(config), tokenizer.pad_token_id, seed=config.seed, dtype=_policy(config)
    )


def _image_backbone(config: ImageEncoderConfig) -> keras.Model:
    if config.backbone:
        backbone = keras_hub.models.Backbone.from_preset(
            resolve_preset(config.backbone), dtype=_policy(config)
        )
        _check_image_size(config, backbone)
        _freeze_batch_norms(backbone)
        return backbone
    return keras_hub.models.ViTBackbone(
        image_shape=(config.image_size, config.image_size, 3),
        patch_size=config.patch_size,
        num_layers=config.num_layers,
        num_heads=config.num_heads,
        hidden_dim=config.hidden_dim,
        mlp_dim=config.mlp_dim,
        dtype=_policy(config),
    )


def _check_image_size(config: ImageEncoderConfig, backbone: keras.Model) -> None:
    """A transformer has a position for each patch: it takes the size alone that it was made for."""
    height, width = backbone.input_shape[1:3]
    if {height, width} - {None, config.image_size}:
        raise InputError(
            f"{config.section}.image_size must fit the backbone {config.backbone}, which takes pictures of "
            f"{height} x {width}, got {config.image_size}"
        )


def _check_max_length(config: TextEncoderConfig, backbone: keras.Model) -> None:
    longest = backbone.max_sequence_length
    if config.max_length > longest:
        raise InputError(
            f"{config.section}.max_length must be at most {longest}, the tokens that the backbone "
            f"{config.backbone} has positions for, got {config.max_length}"
        )


def _freeze_batch_norms(backbone: keras.Model) -> None:
    """Keeps the statistics that pretraining took.

    Queries' photos and catalog pictures are batches of their own, with other statistics each, and a key is
    encoded as it will be served; normalized by batch, the two sides would be moved apart.
    """
    for layer in backbone._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False


def _projection(config: ImageEncoderConfig | TextEncoderConfig) -> int | None:
    return None if config.method == "backbone" else config.embedding_dim


def _policy(config: ImageEncoderConfig | TextEncoderConfig) -> str:
    return "mixed_bfloat16" if config.mixed_precision else "float32"
