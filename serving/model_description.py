"""What an exported model says of itself, wherever it is pushed to."""

import json
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from transforms.input_error import InputError

# TensorFlow leaves this folder of a SavedModel to others, and whoever copies the model copies it along.
DESCRIPTION_FILE = "assets.extra/description.json"


def write_description(directory: str, description: Mapping[str, Any]) -> None:
    """Writes what there is to know of a SavedModel into its folder.

    Args:
        directory: of the SavedModel.
        description: ready for JSON. Of an encoder "fingerprint", which names its weights; of a model of clicks or
            recall "model", the name of its kind, and "encoders": by modality the fingerprint of the encoder
            whose embeddings it was trained with.
    """
    path = f"{directory}/{DESCRIPTION_FILE}"
    tf.io.gfile.makedirs(path.rsplit("/", 1)[0])
    with tf.io.gfile.GFile(path, "wb") as stream:
        stream.write(json.dumps(description, indent=2).encode())


def read_description(directory: str) -> dict[str, Any]:
    """Reads what `write_description` wrote.

    Raises:
        InputError: the folder has none, for it was exported by an older release of this project.
    """
    path = f"{directory}/{DESCRIPTION_FILE}"
    try:
        with tf.io.gfile.GFile(path, "rb") as stream:
            description = json.loads(stream.read())
    except tf.errors.NotFoundError:
        raise InputError(f"{directory}: expected {DESCRIPTION_FILE}, got none") from None
    except ValueError as error:
        raise InputError(f"{path}: expected JSON, got: {error}") from error
    if not isinstance(description, dict):
        raise InputError(f"{path}: expected an object, got {type(description).__name__}")
    return description
