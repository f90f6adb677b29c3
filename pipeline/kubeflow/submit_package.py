"""A compiled pipeline as a file, read before it is sent anywhere."""

import difflib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from transforms.input_error import InputError

# What a server of Kubeflow Pipelines takes at most.
MAX_BYTES = 32 * 2**20

_Type = pipeline_spec_pb2.ParameterType


@dataclass(frozen=True)
class PipelinePackage:
    """A compiled pipeline.

    Attributes:
        path: the YAML file.
        name: the pipeline's name.
        parameters: what a run of it can be told, as its specification says.
    """

    path: Path
    name: str
    parameters: Mapping[str, pipeline_spec_pb2.ComponentInputsSpec.ParameterSpec]

    @classmethod
    def read(cls, path: Path) -> "PipelinePackage":
        """Reads a pipeline. Raises InputError where the file holds none."""
        spec = _parse(path, _read(path))
        return cls(path, spec.pipeline_info.name, dict(spec.root.input_definitions.parameters))

    def values(self, settings: Sequence[str]) -> dict[str, Any]:
        """Reads what a run is told.

        Args:
            settings: `name=value` each; the value of a list or a mapping is JSON.
        Returns:
            Values by the parameters' names, of the types that the pipeline wants.
        Raises:
            InputError: an unknown parameter, one that is needed and not set, or a value of another type.
        """
        found = {}
        for setting in settings:
            name, equals, text = setting.partition("=")
            if not equals or not name:
                raise InputError(f"--param expects name=value, got {setting!r}")
            if name not in self.parameters:
                raise InputError(f"{self.path} has no parameter {name}{_nearest(name, self.parameters)}")
            found[name] = _convert(name, text, self.parameters[name].parameter_type)
        missing = [
            name for name, spec in self.parameters.items() if not spec.is_optional and name not in found
        ]
        if missing:
            flags = " ".join(f"--param {name}=…" for name in sorted(missing))
            raise InputError(f"{self.path} needs {flags}")
        return found


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(
                f"pipeline {path} must have at most {MAX_BYTES} bytes, got {path.stat().st_size}"
            )
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"pipeline {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"pipeline {path} is no YAML: it is no text") from error


def _parse(path: Path, text: str) -> pipeline_spec_pb2.PipelineSpec:
    if path.suffix not in (".yaml", ".yml"):
        raise InputError(f"pipeline {path} must be a file that ends in .yaml or .yml")
    try:
        # A second document, of the platform, may follow.
        first = next(iter(yaml.safe_load_all(text)), None)
        spec = json_format.ParseDict(first, pipeline_spec_pb2.PipelineSpec())
    except yaml.YAMLError as error:
        raise InputError(f"pipeline {path} is no YAML: {' '.join(str(error).split())}") from error
    except (json_format.ParseError, AttributeError, TypeError) as error:
        raise InputError(f"{path} is no compiled pipeline: {' '.join(str(error).split())}") from error
    if not spec.pipeline_info.name or not spec.root.dag.tasks:
        raise InputError(f"{path} is no compiled pipeline: expected pipelineInfo and root with its tasks")
    return spec


def _nearest(name: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else f"; it has {', '.join(sorted(known)) or 'none'}"


def _convert(name: str, text: str, kind: int) -> Any:
    wanted, read = _READERS.get(kind, ("a text", str))
    try:
        return read(text)
    except ValueError as error:
        raise InputError(f"--param {name} must be {wanted}, got {text!r}") from error


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


def _json(kind: type) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        if type(value := json.loads(text)) is not kind:
            raise ValueError(text)
        return value

    return read


_READERS: dict[int, tuple[str, Callable[[str], Any]]] = {
    _Type.NUMBER_INTEGER: ("a whole number", int),
    _Type.NUMBER_DOUBLE: ("a number", _finite),
    _Type.BOOLEAN: ("true or false", _boolean),
    _Type.LIST: ("a list in JSON", _json(list)),
    _Type.STRUCT: ("a mapping in JSON", _json(dict)),
}
