"""Encoders so small that their vectors can be told by hand, saved as the real ones are."""

import json
from pathlib import Path

import tensorflow as tf


class MeanColor(tf.Module):
    """[red, green, blue] of a picture of one color, times a factor."""

    def __init__(self, factor: float = 1.0):
        super().__init__()
        self.factor = tf.Variable(factor)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def encode(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        colors = tf.map_fn(self._color, image_bytes, fn_output_signature=tf.TensorSpec([3], tf.float32))
        return {"embedding": colors * self.factor}

    def _color(self, picture: tf.Tensor) -> tf.Tensor:
        pixels = tf.io.decode_image(picture, channels=3, expand_animations=False)
        return tf.reduce_mean(tf.cast(pixels, tf.float32), axis=[0, 1])


class Lengths(tf.Module):
    """[characters, bytes] of a text; "nan" has no finite vector, and "poison" fails its batch."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def encode(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.control_dependencies([tf.debugging.assert_none_equal(text, "poison")]):
            lengths = [tf.strings.length(text, unit="UTF8_CHAR"), tf.strings.length(text)]
        vectors = tf.cast(tf.stack(lengths, axis=1), tf.float32)
        return {"embedding": tf.where(text[:, None] == "nan", float("nan"), vectors)}


def save_encoder(folder: Path, module: tf.Module, modality: str, fingerprint: str, embedding_dim: int) -> str:
    """Writes a `Model` artifact; returns its uri."""
    tf.saved_model.save(module, str(folder / "Format-Serving"), signatures=module.encode)
    description = {"modality": modality, "fingerprint": fingerprint, "embedding_dim": embedding_dim}
    (folder / "encoder.json").write_text(json.dumps(description))
    return str(folder)


def save_image_encoder(folder: Path, fingerprint: str = "colors", factor: float = 1.0) -> str:
    """A `MeanColor`."""
    return save_encoder(folder, MeanColor(factor), "image", fingerprint, 3)


def save_text_encoder(folder: Path, fingerprint: str = "lengths") -> str:
    """A `Lengths`."""
    return save_encoder(folder, Lengths(), "text", fingerprint, 2)
