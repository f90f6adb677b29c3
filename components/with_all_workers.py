"""Lets the workers of a cluster take part in a training that one of them is asked for."""

import functools
import json
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable
from typing import Any

from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.dsl.io import fileio

from components.training_call import Artifacts, TrainingCall
from components.training_process import MISTAKE
from transforms.input_error import InputError

# Names the folder, the same for all workers, in which they learn of a training.
CALLS_VARIABLE = "ADLENS_CALLS"
CALL_FILE = "training.json"

Do = Callable[[BaseExecutor, Artifacts, Artifacts, dict[str, Any]], None]


def with_all_workers(do: Do) -> Do:
    """Makes an executor's `Do` the chief's part of a training where its config's strategy is multi_worker.

    The chief leaves the call in the folder that `ADLENS_CALLS` names, where `components.worker` finds it on the
    other workers, and trains in a process of its own, whose outputs are the stage's.
    """

    @functools.wraps(do)
    def share(self: BaseExecutor, inputs: Artifacts, outputs: Artifacts, parameters: dict[str, Any]) -> None:
        if json.loads(parameters["config"])["strategy"] != "multi_worker":
            return do(self, inputs, outputs, parameters)
        trainer = type(self).__module__.split(".")[1]
        return _lead(TrainingCall(trainer, inputs, outputs, parameters))

    return share


def start_process(call: str, *flags: str) -> subprocess.Popen[str]:
    """Starts a process of a training with its call; its standard output says what a user can mend."""
    command = [sys.executable, "-m", "components.training_process", *flags]
    with tempfile.TemporaryFile("w+") as given:
        given.write(call)
        given.seek(0)
        return subprocess.Popen(command, stdin=given, stdout=subprocess.PIPE, text=True)


def _lead(call: TrainingCall) -> None:
    folder = os.environ.get(CALLS_VARIABLE)
    if not folder:
        raise InputError(
            f"strategy multi_worker expected {CALLS_VARIABLE} to name a folder that all workers share, got none"
        )
    path, text = f"{folder}/{CALL_FILE}", call.to_json()
    fileio.makedirs(folder)
    partial = f"{path}.partial"
    with fileio.open(partial, "w") as stream:
        stream.write(json.dumps({"id": uuid.uuid4().hex, "call": text}))
    fileio.rename(partial, path, overwrite=True)
    try:
        process = start_process(text, "--chief")
        said, _ = process.communicate()
    finally:
        fileio.remove(path)
    if process.returncode == MISTAKE:
        raise InputError(said.splitlines()[-1])
    if process.returncode:
        raise RuntimeError(f"the training's process ended with status {process.returncode}")
