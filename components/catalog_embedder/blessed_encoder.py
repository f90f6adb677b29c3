"""Finds the encoder that may embed the catalog."""

from collections.abc import Sequence

from tfx import types
from tfx.components.util import model_utils

from components.catalog_embedder.encoder import Encoder, read_encoder
from components.catalog_embedder.modality import Modality
from transforms.input_error import InputError


def blessed_encoder(
    modality: Modality,
    candidates: Sequence[types.Artifact],
    blessings: Sequence[types.Artifact],
    baselines: Sequence[types.Artifact],
) -> Encoder:
    """Takes the candidate where it is blessed, else the last blessed encoder.

    Args:
        modality: what it encodes.
        candidates: the `Model` of this run.
        blessings: the candidate's `ModelBlessing`.
        baselines: the last blessed `Model` before it; may be empty.
    Raises:
        InputError: there is no blessed encoder.
    """
    if any(model_utils.is_model_blessed(blessing) for blessing in blessings):
        return read_encoder(candidates[0].uri, modality)
    if baselines:
        return read_encoder(baselines[0].uri, modality)
    raise InputError(
        f"expected a blessed {modality.name} encoder to embed the catalog with, got none: this run's "
        f"({candidates[0].uri}) was refused by its evaluation, whose metrics.json has the reasons, and no "
        "earlier run has a blessed one"
    )
