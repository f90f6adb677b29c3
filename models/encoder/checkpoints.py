"""What a training leaves behind so that it can go on after a kill."""

import json
import os
import tempfile
from typing import Any

import keras
import tensorflow as tf

_STATE = "state.json"


class Checkpoints:
    """Keeps a model's weights, its optimizer's and the state of a training in a folder.

    A file is written under another name and renamed when it is whole, and `state.json`, which names the
    files that belong together, comes last: a kill at any moment leaves the checkpoint before.

    Args:
        folder: anywhere TensorFlow writes; made when something is saved.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def save(self, model: keras.Model, state: dict[str, Any], is_best: bool) -> None:
        """Writes a checkpoint.

        Args:
            model: compiled; its optimizer is saved with it.
            state: plain values; "step" names the checkpoint.
            is_best: whether this is the best so far, to be kept for the end.
        """
        tf.io.gfile.makedirs(self.folder)
        before = self._read_state() or {}
        name = f"step-{state['step']:09d}.weights.h5"
        self._write_weights(model, name)
        files = {"last": name, "best": name if is_best else before.get("files", {}).get("best")}
        seeds = [keras.ops.convert_to_numpy(seed).tolist() for seed in _seed_states(model)]
        self._write(_STATE, json.dumps({**state, "seeds": seeds, "files": files}).encode())
        for old in set(before.get("files", {}).values()) - set(files.values()) - {None}:
            tf.io.gfile.remove(f"{self.folder}/{old}")

    def restore(self, model: keras.Model) -> dict[str, Any] | None:
        """Loads the last checkpoint into a compiled model. Returns its state, None where there is none."""
        state = self._read_state()
        if state is not None:
            self._load(model, state["files"]["last"])
            for seed, value in zip(_seed_states(model), state["seeds"], strict=True):
                seed.assign(value)
        return state

    def restore_best(self, model: keras.Model) -> None:
        """Loads the best checkpoint; the model stays as it is where none was called the best."""
        state = self._read_state()
        if state is not None and state["files"]["best"]:
            self._load(model, state["files"]["best"])

    def remove(self) -> None:
        """Removes all checkpoints."""
        if tf.io.gfile.exists(self.folder):
            tf.io.gfile.rmtree(self.folder)

    def _load(self, model: keras.Model, name: str) -> None:
        model.optimizer.build(model.trainable_variables)
        # Keras reads local files.
        with tempfile.TemporaryDirectory() as folder:
            local = os.path.join(folder, name)
            tf.io.gfile.copy(f"{self.folder}/{name}", local)
            model.load_weights(local)

    def _write_weights(self, model: keras.Model, name: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            local = os.path.join(folder, name)
            model.save_weights(local)
            tf.io.gfile.copy(local, f"{self.folder}/{name}.partial", overwrite=True)
        tf.io.gfile.rename(f"{self.folder}/{name}.partial", f"{self.folder}/{name}", overwrite=True)

    def _read_state(self) -> dict[str, Any] | None:
        path = f"{self.folder}/{_STATE}"
        if not tf.io.gfile.exists(path):
            return None
        with tf.io.gfile.GFile(path, "rb") as stream:
            return json.loads(stream.read())

    def _write(self, name: str, content: bytes) -> None:
        partial = f"{self.folder}/{name}.partial"
        with tf.io.gfile.GFile(partial, "wb") as stream:
            stream.write(content)
        tf.io.gfile.rename(partial, f"{self.folder}/{name}", overwrite=True)


def _seed_states(model: keras.Model) -> list[keras.Variable]:
    """What dropout draws its numbers from; Keras saves all variables but these."""
    return [variable for variable in model.variables if variable.name == "seed_generator_state"]
