"""A training that several processes do together."""

import importlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from google.protobuf import json_format
from ml_metadata.proto import metadata_store_pb2
from tfx import types
from tfx.types import (
    artifact_utils,
    standard_artifacts,  # noqa: F401  (an artifact's type is looked for among those that are imported)
)

from components import artifacts as artifacts_module  # noqa: F401
from components.plain_saved_model import forget_cluster
from transforms.input_error import InputError

# The folders of the components that train; a call names one of them, and nothing else is imported.
TRAINERS = ("make_trainer", "ctr_trainer", "recall_trainer", "encoder_trainer")

Artifacts: TypeAlias = dict[str, list[types.Artifact]]


@dataclass(frozen=True)
class TrainingCall:
    """What an executor was called with.

    Attributes:
        trainer: one of `TRAINERS`.
        inputs: artifacts by name.
        outputs: artifacts by name.
        parameters: the execution's properties.
    """

    trainer: str
    inputs: Artifacts
    outputs: Artifacts
    parameters: dict[str, Any]

    def __post_init__(self) -> None:
        if self.trainer not in TRAINERS:
            raise InputError(f"a training must be of {', '.join(TRAINERS)}, got {self.trainer}")

    def to_json(self) -> str:
        """The call as one line."""
        values = {
            "trainer": self.trainer,
            "inputs": _to_values(self.inputs),
            "outputs": _to_values(self.outputs),
            "parameters": self.parameters,
        }
        return json.dumps(values)

    @classmethod
    def from_json(cls, text: str) -> "TrainingCall":
        """The call that `to_json` wrote.

        Raises:
            InputError: it is none.
        """
        try:
            values = json.loads(text)
            inputs, outputs = (_from_values(values[name]) for name in ("inputs", "outputs"))
            return cls(values["trainer"], inputs, outputs, dict(values["parameters"]))
        except (AttributeError, KeyError, TypeError, json_format.ParseError, json.JSONDecodeError) as error:
            raise InputError(f"expected a training as JSON, got {text[:80]}") from error

    def perform(self, keeps_outputs: bool) -> None:
        """Trains.

        Args:
            keeps_outputs: whether the outputs are written; else they are thrown away.
        Raises:
            InputError: what the executor raises.
        """
        executor = importlib.import_module(f"components.{self.trainer}.executor").Executor
        train = executor.Do.__wrapped__  # without calling others
        if keeps_outputs:
            train(executor(), self.inputs, self.outputs, self.parameters)
            for artifact in (artifact for given in self.outputs.values() for artifact in given):
                forget_cluster(artifact.uri)
            return
        with tempfile.TemporaryDirectory() as folder:
            for name, artifacts in self.outputs.items():
                for number, artifact in enumerate(artifacts):
                    artifact.uri = f"{folder}/{name}-{number}"
            train(executor(), self.inputs, self.outputs, self.parameters)


def _to_values(artifacts: Artifacts) -> dict[str, list[list[Any]]]:
    return {
        name: [
            [json_format.MessageToDict(message) for message in (each.artifact_type, each.mlmd_artifact)]
            for each in given
        ]
        for name, given in artifacts.items()
    }


def _from_values(values: Mapping[str, list[list[Any]]]) -> Artifacts:
    return {
        name: [
            artifact_utils.deserialize_artifact(
                json_format.ParseDict(kind, metadata_store_pb2.ArtifactType()),
                json_format.ParseDict(artifact, metadata_store_pb2.Artifact()),
            )
            for kind, artifact in given
        ]
        for name, given in values.items()
    }
