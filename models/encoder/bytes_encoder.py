"""An encoder together with what turns bytes into its input: what is evaluated, exported and served."""

import hashlib
from collections.abc import Callable

import keras
import tensorflow as tf

from models.encoder.input_names import INPUT_NAMES


class BytesEncoder(tf.Module):
    """Encodes pictures or texts as they come.

    Args:
        encoder: from prepared inputs to unit vectors.
        prepare: in the graph, from string `[batch]` to the encoder's inputs.
        modality: "image" or "text".
        preparation: what `prepare` does, in words that change when it does; a part of the fingerprint.
    Call arguments:
        values: string `[batch]`, files of pictures or UTF-8 texts; any batch size.
    Returns:
        float32 `[batch, embedding_dim]`, of length 1.
    """

    def __init__(
        self,
        encoder: keras.Model,
        prepare: Callable[[tf.Tensor], tf.Tensor],
        modality: str,
        preparation: str,
    ) -> None:
        super().__init__()
        self.preparation = preparation
        self.encoder = encoder
        self.prepare = prepare
        self.modality = modality
        spec = tf.TensorSpec([None], tf.string, name=INPUT_NAMES[modality])
        self.encode = tf.function(lambda values: encoder(prepare(values)), input_signature=[spec])

    def __call__(self, values: tf.Tensor) -> tf.Tensor:
        return self.encode(values)

    def fingerprint(self) -> str:
        """Names the encoder by its preparation and its weights: another name, other embeddings."""
        digest = hashlib.sha256(f"{self.modality}\n{self.preparation}\n".encode())
        for weight in self.encoder.weights:
            digest.update(str(tuple(weight.shape)).encode())
            digest.update(keras.ops.convert_to_numpy(weight).tobytes())
        return digest.hexdigest()
