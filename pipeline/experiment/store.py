"""What the trials of an experiment gave, so that a repeated command does only what is missing."""

import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from components.report import files


class ResultStore:
    """Keeps one JSON file a trial, named after all that its result follows from.

    Another configuration or other logs have other names, so their results are never mixed up, and going back to
    an earlier configuration finds its results again.

    Args:
        folder: where the files lie.
        data: names the state of the data; see `name`.
    """

    def __init__(self, folder: str, data: str) -> None:
        self.folder = folder
        self.data = data

    def name(self, title: str, settings: dict[str, Any]) -> str:
        """The trial's name: its title and a digest of its settings and of the data.

        Args:
            title: for people.
            settings: plain values, all that the result follows from beside the data.
        """
        text = json.dumps({"data": self.data, "settings": settings}, sort_keys=True)
        return f"{title}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"

    def find(self, name: str) -> dict[str, Any] | None:
        """The result of a trial that has ended, None of another."""
        path = self._path(name)
        return files.read_json(path) if files.exists(path) else None

    def save(self, name: str, result: dict[str, Any]) -> None:
        """Keeps a trial's result, whole or not at all."""
        files.write_text(self._path(name), json.dumps(result, indent=2, allow_nan=False) + "\n")

    def save_array(self, array: np.ndarray) -> str:
        """Keeps an array, whole or not at all. Returns its name, for the result that it belongs to."""
        stream = io.BytesIO()
        np.save(stream, array, allow_pickle=False)
        content = stream.getvalue()
        name = f"{hashlib.sha256(content).hexdigest()[:16]}.npy"
        os.makedirs(self.folder, exist_ok=True)
        unfinished = f"{self.folder}/{name}.tmp"
        Path(unfinished).write_bytes(content)
        os.replace(unfinished, f"{self.folder}/{name}")
        return name

    def read_array(self, name: str) -> np.ndarray:
        """The array that `save_array` gave this name.

        Raises:
            InputError: if there is none.
        """
        return np.load(io.BytesIO(files.read_bytes(f"{self.folder}/{name}")), allow_pickle=False)

    def _path(self, name: str) -> str:
        return f"{self.folder}/{name}.json"
