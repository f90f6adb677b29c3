"""What the pushed models say of themselves."""

import logging
from pathlib import Path
from typing import Any

import tensorflow as tf

from serving.gateway.config import GatewayConfig
from serving.model_description import read_description
from transforms.input_error import InputError

_LOG = logging.getLogger(__name__)


class PushedDescriptions:
    """Reads the descriptions of pushed versions once; one that is not there is looked for again after `refresh`.

    Args:
        serving_root: the folder that has, by the models' names, their base paths.
        config: these names.
    """

    def __init__(self, serving_root: Path, config: GatewayConfig) -> None:
        self._folders = {
            "ctr": serving_root / config.ctr_model,
            "recall": serving_root / config.recall_model,
            **{each: serving_root / config.encoder(each) for each in ("image", "text")},
        }
        self._found: dict[tuple[str, str], dict[str, Any] | None] = {}
        self._told: set[tuple[str, str]] = set()

    def refresh(self) -> None:
        """Forgets what was missing: it may have been copied meanwhile."""
        self._found = {key: found for key, found in self._found.items() if found is not None}

    def fingerprint(self, modality: str, version: str) -> str | None:
        """Of a version of a modality's encoder; None where it does not say."""
        found = self._read(modality, version)
        return None if found is None else found.get("fingerprint")

    def encoder(self, model: str, version: str, modality: str) -> str | None:
        """The fingerprint of the encoder that a version of "ctr" or "recall" was made with.

        None where the model takes no vectors of this modality, which is what it says; see `is_there`.
        """
        encoders = (self._read(model, version) or {}).get("encoders")
        return encoders.get(modality) if isinstance(encoders, dict) else None

    def is_there(self, model: str, version: str) -> bool:
        """Whether a version describes itself."""
        return self._read(model, version) is not None

    def _read(self, model: str, version: str) -> dict[str, Any] | None:
        key, known = (model, version), self._found
        if key not in known:
            known[key] = self._look(key)
        return known[key]

    def _look(self, key: tuple[str, str]) -> dict[str, Any] | None:
        model, version = key
        # The name of an index' version may be anything.
        if not (version.isascii() and version.isdecimal()):
            return None
        try:
            return read_description(str(self._folders[model] / version))
        except (InputError, tf.errors.OpError) as error:
            if key not in self._told:
                _LOG.warning("%s; the release tells what it fits", error)
            self._told.add(key)
            return None
