"""What a launcher of Kubeflow hands to a stage, and what it gets back."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfx import types
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver
from tfx.dsl.io import fileio
from tfx.types.channel import OutputChannel

from pipeline.kubeflow.artifact_metadata import from_metadata, to_metadata
from pipeline.kubeflow.names import input_name
from transforms.input_error import InputError


@dataclass(frozen=True)
class ExecutorInput:
    """The message `ExecutorInput` of Kubeflow's pipeline specification.

    The open-source launcher and Vertex AI fill it in differently: of artifacts the one may leave out the type,
    either may turn integers in metadata into floats, and where the files would lie locally is another matter on
    each. So nothing but the metadata is read that the stages write themselves.

    Attributes:
        artifacts: by input, the metadata of its artifact.
        outputs: by output, the artifact's name and URI, as they have to be given back.
        output_file: where the answer is expected.
    """

    artifacts: Mapping[str, dict[str, Any]]
    outputs: Mapping[str, dict[str, Any]]
    output_file: str

    @classmethod
    def parse(cls, text: str) -> "ExecutorInput":
        """Reads the JSON. Raises InputError where it is something else."""
        try:
            value = json.loads(text)
            outputs = value["outputs"]
            given = value.get("inputs", {}).get("artifacts", {})
            return cls(
                artifacts={name: _first(entry).get("metadata", {}) for name, entry in given.items()},
                outputs={name: _first(entry) for name, entry in outputs.get("artifacts", {}).items()},
                output_file=outputs["outputFile"],
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                "--executor_input must be the ExecutorInput of Kubeflow Pipelines as JSON, got "
                f"{text[:80]!r} ({type(error).__name__}: {error})"
            ) from error

    def inputs_of(self, node: BaseNode) -> dict[str, list[types.Artifact]]:
        """The node's inputs that come from other stages, with the types that the node says.

        Raises:
            InputError: the pipeline was compiled without the stage that one comes from.
        """
        channels = node.raw_inputs if isinstance(node, Resolver) else node.inputs
        return {
            name: self._take(node, name, channel)
            for name, channel in channels.items()
            if isinstance(channel, OutputChannel)
        }

    def write_output(self, outputs: Mapping[str, Sequence[types.Artifact]]) -> None:
        """Writes the answer: for each output that the task has the metadata of what the stage gave, or of nothing."""
        answer = {
            name: {"artifacts": [{**_place(entry), "metadata": to_metadata(outputs.get(name, ()))}]}
            for name, entry in self.outputs.items()
        }
        fileio.makedirs(os.path.dirname(self.output_file))
        with fileio.open(self.output_file, "w") as stream:
            stream.write(json.dumps({"artifacts": answer}))

    def _take(self, node: BaseNode, name: str, channel: OutputChannel) -> list[types.Artifact]:
        key = input_name(channel.producer_component_id, channel.output_key)
        if key not in self.artifacts:
            raise InputError(
                f"{node.id} takes {name} from {channel.producer_component_id}, which the compiled pipeline does "
                "not give it: compile the pipeline anew with this preset and these settings"
            )
        return from_metadata(self.artifacts[key], channel.type, f"{name} of {node.id}")


def _first(entry: dict[str, Any]) -> dict[str, Any]:
    artifacts = entry.get("artifacts") or [{}]
    return artifacts[0]


def _place(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: entry[key] for key in ("name", "uri") if key in entry}
