"""Which of the models that were pushed belong together."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving.model_description import read_description
from serving.release.released_ctr import ReleasedCtr
from serving.release.released_encoder import ReleasedEncoder
from serving.release.released_recall import ReleasedRecall
from transforms.input_error import InputError


@dataclass(frozen=True)
class PushedModels:
    """Models that were pushed and fit together.

    Attributes:
        ctr: the model of clicks.
        recall: the model of recall; None in a run without one.
        encoders: by modality.
    """

    ctr: ReleasedCtr
    recall: ReleasedRecall | None
    encoders: Mapping[str, ReleasedEncoder]


def find_models(serving: Path, fingerprints: Mapping[str, str], with_recall: bool) -> PushedModels:
    """The versions that a release may name, of this run or an earlier one.

    The models of clicks and of recall are the latest ones pushed, which servers serve unless told otherwise, and
    have to be trained with embeddings of the very encoders that made the catalog's: a vector of another encoder
    means nothing to them. An encoder is the latest one pushed with the fingerprint that the embeddings name.

    Args:
        serving: the folder of the pushed models, `<model>/<version>`.
        fingerprints: by modality, of the encoder that made the catalog's embeddings.
        with_recall: whether there has to be a model of recall.
    Raises:
        InputError: a model is missing, or does not fit; the message says which and why.
    """
    encoders = {
        modality: _encoder(serving / f"{modality}_encoder", modality, fingerprint)
        for modality, fingerprint in fingerprints.items()
    }
    version, described = _latest(serving / "ctr", fingerprints)
    ctr = ReleasedCtr(version, described["model"], described["num_tiers"])
    recall = ReleasedRecall(_latest(serving / "recall", fingerprints)[0]) if with_recall else None
    return PushedModels(ctr, recall, encoders)


def _encoder(folder: Path, modality: str, fingerprint: str) -> ReleasedEncoder:
    for version in _versions(folder):
        if read_description(str(folder / version))["fingerprint"] == fingerprint:
            return ReleasedEncoder(version, fingerprint)
    raise InputError(
        f"the catalog's {modality} embeddings are of the encoder {fingerprint}, of which no version was pushed"
    )


def _latest(folder: Path, fingerprints: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """The latest version, and what it says of itself."""
    versions = _versions(folder)
    if not versions:
        raise InputError(f"no {folder.name} model was pushed, in this run or before")
    described = read_description(str(folder / versions[0]))
    for modality, fingerprint in described["encoders"].items():
        if fingerprints.get(modality) != fingerprint:
            raise InputError(
                f"the {folder.name} model {versions[0]}, the latest one pushed, was trained with {modality} "
                f"embeddings of the encoder {fingerprint}, but the catalog's are of "
                f"{fingerprints.get(modality, 'none')}"
            )
    return versions[0], described


def _versions(folder: Path) -> list[str]:
    """The versions that are there as a whole, the latest first."""
    if not folder.is_dir():
        return []
    names = [name for name in os.listdir(folder) if name.isdecimal()]
    return sorted((name for name in names if (folder / name / "saved_model.pb").is_file()), key=int)[::-1]
