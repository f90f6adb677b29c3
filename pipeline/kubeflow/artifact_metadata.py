"""Artifacts as Kubeflow carries them from task to task: in the metadata of an artifact of its own."""

import json
from collections.abc import Sequence
from typing import Any

from google.protobuf import json_format
from ml_metadata.proto import metadata_store_pb2
from tfx.types.artifact import Artifact

from transforms.input_error import InputError

# Kubeflow's metadata knows strings, numbers (as floats) and booleans. A string brings everything through unchanged.
FIELD = "tfx_artifacts"


def to_metadata(artifacts: Sequence[Artifact]) -> dict[str, Any]:
    """The metadata of the Kubeflow artifact that stands for an output.

    Args:
        artifacts: what a stage gave under one name: one artifact mostly, none or several at times.
    Returns:
        `FIELD` for the next stage, and for people the first artifact's place and properties.
    """
    shown: dict[str, Any] = {}
    if artifacts:
        proto = artifacts[0].mlmd_artifact
        for properties in (proto.properties, proto.custom_properties):
            shown |= {name: _plain(value) for name, value in properties.items()}
        shown["tfx_uri"] = proto.uri
    return shown | {FIELD: json.dumps([to_json(artifact) for artifact in artifacts])}


def from_metadata(metadata: dict[str, Any], artifact_type: type[Artifact], name: str) -> list[Artifact]:
    """The artifacts that `to_metadata` wrote.

    Args:
        metadata: of the Kubeflow artifact. Its type is not looked at: the open-source launcher may drop it.
        artifact_type: of the artifacts, as the stage's specification has it.
        name: of the input, for messages.
    Raises:
        InputError: the metadata does not come from a stage of this pipeline.
    """
    try:
        values = json.loads(metadata[FIELD])
        return [from_json(value, artifact_type) for value in values]
    except (KeyError, TypeError, ValueError, json_format.ParseError) as error:
        raise InputError(
            f"input {name}: expected the metadata {FIELD} that a stage of this pipeline writes: "
            f"{type(error).__name__}: {' '.join(str(error).split())}"
        ) from error


def to_json(artifact: Artifact) -> dict[str, Any]:
    """An artifact as a JSON value; 64-bit integers are strings in it and so keep all their digits."""
    return json_format.MessageToDict(artifact.mlmd_artifact, preserving_proto_field_name=True)


def from_json(value: dict[str, Any], artifact_type: type[Artifact]) -> Artifact:
    """The artifact that `to_json` wrote."""
    artifact = artifact_type()
    artifact.set_mlmd_artifact(json_format.ParseDict(value, metadata_store_pb2.Artifact()))
    return artifact


def _plain(value: metadata_store_pb2.Value) -> str | float | bool:
    kind = value.WhichOneof("value")
    if kind in ("string_value", "double_value", "bool_value"):
        return getattr(value, kind)
    # A float would lose digits of large ones; whoever reads this reads text.
    return str(value.int_value) if kind == "int_value" else json_format.MessageToJson(value)
