"""What a training of clicks leaves behind so that it can go on after a kill."""

import json
from dataclasses import asdict

import keras
import tensorflow as tf

from models.continuation.array_file import read_array, write_variable
from models.continuation.fit_state import FitState
from transforms.input_error import InputError

STATE_FILE = "state.json"


class FitCheckpoints:
    """Keeps the variables that a model trains, its optimizer's, and how far the training has come, in a folder.

    Each checkpoint has a folder of its own below, with a file of bare numbers for each variable; `state.json`, which
    names that folder, is renamed into its place last: a kill at any moment leaves the checkpoint before. Nothing in it
    tells on how many devices or machines the training ran.

    Args:
        folder: anywhere TensorFlow writes; made when something is saved.
        every_steps: steps of a pass between two checkpoints; beside these there is one at the end of each pass but
            the last.
    """

    def __init__(self, folder: str, every_steps: int) -> None:
        self.folder = folder
        self.every_steps = every_steps

    def save(self, model: keras.Model, state: FitState) -> None:
        """Writes a checkpoint.

        Args:
            model: compiled; its frozen embeddings, `model.embeddings`, are left out, as they are the run's own.
            state: how far the training has come.
        """
        name = f"epoch-{state.epoch:04d}-batch-{state.batch:09d}"
        tf.io.gfile.makedirs(f"{self.folder}/{name}")
        for number, variable in enumerate(_variables(model)):
            write_variable(self._file(name, number), variable)
        before = self._read()
        steps = int(model.optimizer.iterations.numpy())
        content = {"folder": name, "steps": steps, "state": asdict(state)}
        partial = f"{self.folder}/{STATE_FILE}.partial"
        with tf.io.gfile.GFile(partial, "w") as stream:
            stream.write(json.dumps(content))
        tf.io.gfile.rename(partial, f"{self.folder}/{STATE_FILE}", overwrite=True)
        if before is not None and before["folder"] != name:
            tf.io.gfile.rmtree(f"{self.folder}/{before['folder']}")

    def restore(self, model: keras.Model) -> FitState:
        """Has a compiled model go on from the last checkpoint, where there is one; says where the training is.

        Raises:
            InputError: the checkpoint is of another model, or files of it are missing.
        """
        content = self._read()
        if content is None:
            return FitState()
        model.optimizer.build(model.trainable_variables)
        try:
            for number, variable in enumerate(_variables(model)):
                _fill(variable, self._file(content["folder"], number))
            model.optimizer.iterations.assign(content["steps"])
            return FitState(**content["state"])
        except (KeyError, TypeError) as error:
            raise self._no_state() from error

    def remove(self) -> None:
        """Removes all checkpoints."""
        if tf.io.gfile.exists(self.folder):
            tf.io.gfile.rmtree(self.folder)

    def _read(self) -> dict | None:
        path = f"{self.folder}/{STATE_FILE}"
        if not tf.io.gfile.exists(path):
            return None
        try:
            with tf.io.gfile.GFile(path, "r") as stream:
                return json.loads(stream.read())
        except ValueError as error:
            raise self._no_state() from error

    def _no_state(self) -> InputError:
        return InputError(
            f"{self.folder}/{STATE_FILE}: expected the state of a training, got another file; remove the folder"
        )

    def _file(self, name: str, number: int) -> str:
        return f"{self.folder}/{name}/{number:04d}.f32"


def _variables(model: keras.Model) -> list[keras.Variable]:
    """All that changes in a training, in the order in which it is made, but for the optimizer's count of steps."""
    frozen = {id(variable) for variable in model.embeddings.weights}
    learned = [variable for variable in model.weights if id(variable) not in frozen]
    kept = [variable for variable in model.optimizer.variables if variable is not model.optimizer.iterations]
    return [*learned, *kept]


def _fill(variable: keras.Variable, path: str) -> None:
    if not tuple(variable.shape):
        for _, part in read_array(path, (1,)):
            variable.assign(part[0])
        return
    for start, part in read_array(path, tuple(variable.shape)):
        rows = tf.range(start, start + len(part))
        variable.value.scatter_update(tf.IndexedSlices(tf.constant(part), rows))
