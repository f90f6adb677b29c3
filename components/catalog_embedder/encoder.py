"""An encoder as its artifact describes it."""

import json
from dataclasses import dataclass

from tfx.dsl.io import fileio
from tfx.utils import path_utils

from components.catalog_embedder.modality import Modality
from serving.encoder_signatures import ENCODER_FILE
from transforms.input_error import InputError


@dataclass(frozen=True)
class Encoder:
    """Where an encoder lies and what it gives.

    Attributes:
        modality: what it encodes.
        saved_model: the directory of its SavedModel.
        fingerprint: names its weights; equal fingerprints give equal vectors.
        embedding_dim: length of its vectors.
    """

    modality: Modality
    saved_model: str
    fingerprint: str
    embedding_dim: int


def read_encoder(uri: str, modality: Modality) -> Encoder:
    """Reads an encoder's description.

    Args:
        uri: of the encoder's `Model` artifact.
        modality: what it has to encode.
    Raises:
        InputError: it is an encoder of something else.
    """
    with fileio.open(f"{uri}/{ENCODER_FILE}", "rb") as stream:
        description = json.loads(stream.read())
    if description["modality"] != modality.name:
        raise InputError(
            f"{uri}: expected an encoder of modality {modality.name}, got {description['modality']}"
        )
    return Encoder(
        modality=modality,
        saved_model=path_utils.serving_model_dir(uri),
        fingerprint=description["fingerprint"],
        embedding_dim=description["embedding_dim"],
    )
