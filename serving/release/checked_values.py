"""Checks of values that came as JSON; each names the place of what is wrong."""

import math
from collections.abc import Callable
from typing import Any, TypeVar

from serving.checked_arguments import shown
from transforms.input_error import InputError

T = TypeVar("T")

MAX_TEXT = 16_384


def read_object(value: Any, where: str, keys: tuple[str, ...]) -> dict[str, Any]:
    """A mapping with these keys and no others."""
    value = read_mapping(value, where)
    if set(value) != set(keys):
        raise InputError(f"{where}: expected the keys {', '.join(keys)}, got {shown(', '.join(value))}")
    return value


def read_mapping(value: Any, where: str) -> dict[str, Any]:
    """A mapping of whatever keys."""
    if not isinstance(value, dict):
        raise InputError(f"{where}: expected an object, got {shown(value)}")
    return value


def read_list(value: Any, where: str, most: int, parse: Callable[[Any, str], T]) -> tuple[T, ...]:
    """A list of at most `most` entries, each as `parse` reads it, which is given its place too."""
    if not isinstance(value, list) or len(value) > most:
        raise InputError(f"{where}: expected a list of at most {most}, got {shown(value)}")
    return tuple(parse(entry, f"{where}[{place}]") for place, entry in enumerate(value))


def read_text(value: Any, where: str, least: int = 1) -> str:
    """A text of at least `least` characters."""
    if not isinstance(value, str) or not least <= len(value) <= MAX_TEXT:
        raise InputError(
            f"{where}: expected a text of {int(least)} to {MAX_TEXT} characters, got {shown(value)}"
        )
    return value


def read_scalar(value: Any, where: str) -> str | float:
    """A text, which may be empty, or a finite number."""
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, int):
        return read_whole(value, where, -(2**63))
    return read_text(value, where, least=0)


def read_whole(value: Any, where: str, least: int) -> int:
    """A whole number from `least` on that 64 bits can hold."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value < 2**63:
        raise InputError(f"{where}: expected a whole number of at least {least}, got {shown(value)}")
    return value


def no_number(name: str) -> float:
    """For `parse_constant`: NaN and infinities, which JSON does not have."""
    raise ValueError(f"{name} is no number")
