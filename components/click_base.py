"""What the trainers of models of clicks and of recall find among their inputs."""

from collections.abc import Sequence

import tensorflow_transform as tft
from tfx import types

from models.continuation.training_state import FOLDER, TrainingState
from models.continuation.vocabulary import Vocabulary
from serving.embedding_index.embedding_files import encoder_fingerprint
from transforms.feature import Feature


def find_base(base: Sequence[types.Artifact] | None) -> TrainingState | None:
    """What the model left that training goes on from; None where it begins from nothing.

    Args:
        base: at most one `Model`.
    Raises:
        InputError: the model kept nothing to go on from.
    """
    return TrainingState.read(f"{base[0].uri}/{FOLDER}") if base else None


def find_encoders(embeddings: Sequence[types.Artifact] | None, modalities: Sequence[str]) -> dict[str, str]:
    """The fingerprints of the encoders that embedded the catalog, by modality.

    Args:
        embeddings: at most one `artifacts.Embeddings`.
        modalities: those that the model reads; none of a model of IDs alone.
    """
    if not embeddings:
        return {}
    return {modality: encoder_fingerprint(embeddings[0].uri, modality) for modality in modalities}


def find_vocabularies(
    features: Sequence[Feature], transform_output: tft.TFTransformOutput
) -> dict[str, Vocabulary]:
    """The ids of each table that has a vocabulary, by feature."""
    return {
        feature.name: Vocabulary(
            transform_output.vocabulary_file_by_name(feature.name),
            transform_output.vocabulary_size_by_name(feature.name),
        )
        for feature in features
        if feature.kind == "id"
    }
