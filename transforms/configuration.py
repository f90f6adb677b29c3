"""Reads frozen dataclasses from plain values and writes them as JSON; unknown keys are errors."""

import dataclasses
import difflib
import json
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from transforms.input_error import InputError

T = TypeVar("T")


def to_json(config: Any) -> str:
    """Writes a dataclass as JSON that `from_json` reads; equal configurations give equal text."""
    return json.dumps(dataclasses.asdict(config), sort_keys=True)


def from_json(cls: type[T], text: str) -> T:
    """Reads what `to_json` wrote."""
    return from_values(cls, json.loads(text))


def from_values(cls: type[T], values: Mapping[str, Any], where: str = "") -> T:
    """Makes a dataclass of plain values, as YAML and JSON have them.

    Args:
        cls: a dataclass; its fields may be numbers, strings, booleans, dataclasses, or tuples of these.
        values: by field; a field that is absent keeps its default.
        where: the path to these values, for messages.
    Raises:
        InputError: an unknown key (names the nearest known one) or a value of another type.
    """
    if not isinstance(values, Mapping):
        raise InputError(f"{where or 'config'} must be a mapping of keys to values, got {values!r}")
    hints = typing.get_type_hints(cls)
    fields = dataclasses.fields(cls)  # type: ignore[arg-type]
    known = [field.name for field in fields]
    read = {}
    for key, value in values.items():
        path = f"{where}.{key}" if where else str(key)
        if key not in known:
            raise InputError(f"unknown key {path}{_nearest(str(key), known)}")
        read[key] = _convert(hints[key], value, path)
    missing = [field.name for field in fields if _is_required(field) and field.name not in read]
    if missing:
        raise InputError(f"{where or 'config'} needs {', '.join(missing)}, got {dict(values)!r}")
    return cls(**read)


def _is_required(field: dataclasses.Field) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _nearest(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"


def _convert(hint: Any, value: Any, path: str) -> Any:
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return from_values(hint, value, path)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        if value is None:
            return None
        return _convert(next(argument for argument in arguments if argument is not type(None)), value, path)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise InputError(f"{path} must be a list, got {value!r}")
        return tuple(_convert(arguments[0], entry, f"{path}[{index}]") for index, entry in enumerate(value))
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (hint is not bool and isinstance(value, bool)):
        raise InputError(f"{path} must be {_describe(hint)}, got {value!r}")
    return value


def _describe(hint: type) -> str:
    return {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}[hint]
