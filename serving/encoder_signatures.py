"""Exports an encoder for TF Serving."""

import json
from typing import Any

import tensorflow as tf

from models.encoder.bytes_encoder import BytesEncoder

ENCODER_FILE = "encoder.json"


class _EncoderModule(tf.Module):
    """Holds what the exported function uses.

    Of a tracked Keras model every variable would be saved twice, and the graph would restore the one and read the
    other: a server, which has the graph alone, finds it empty. So the function only closes over the model.
    """

    def __init__(self, encoder: BytesEncoder) -> None:
        super().__init__()
        self._model_variables = [variable.value for variable in encoder.encoder.variables]
        encode = encoder.encode.python_function
        self.encode = tf.function(
            lambda values: {"embedding": encode(values)}, input_signature=encoder.encode.input_signature
        )


def save_encoder(encoder: BytesEncoder, method: str, model_uri: str, serving_uri: str) -> dict[str, Any]:
    """Writes a SavedModel with `serving_default`, and what there is to know about it beside.

    The graph holds decoding and resizing, or tokenizing: TensorFlow's and TF Text's operations alone. Batches
    may have any size.

    Args:
        encoder: trained.
        method: how it was trained.
        model_uri: where `encoder.json` goes.
        serving_uri: where the SavedModel goes.
    Returns:
        What `encoder.json` holds: modality, method, embedding_dim, and a fingerprint that names the weights.
    """
    outputs = encoder.encode.get_concrete_function().structured_outputs
    module = _EncoderModule(encoder)
    tf.saved_model.save(module, serving_uri, signatures={"serving_default": module.encode})
    description = {
        "modality": encoder.modality,
        "method": method,
        "embedding_dim": int(outputs.shape[-1]),
        "fingerprint": encoder.fingerprint(),
    }
    with tf.io.gfile.GFile(f"{model_uri}/{ENCODER_FILE}", "wb") as stream:
        stream.write(json.dumps(description, indent=2).encode())
    return description
