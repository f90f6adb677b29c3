"""JSON as TF Serving writes it."""

import base64
import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

INDENT = "    "
_ESCAPED = re.compile(r'["\\\x00-\x1f]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def json_string(value: str) -> str:
    """A quoted string, in which all but quotes, backslashes and control characters stands for itself."""
    return '"' + _ESCAPED.sub(lambda match: _escape(match.group()), value) + '"'


def json_float(value: Any) -> str:
    """A float: six digits where they name it, else as many as name any; whole numbers get `.0`.

    Args:
        value: np.float32 or np.float64.
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    text = f"{value:.6g}"
    if type(value)(text) != value:
        text = f"{value:.9g}" if isinstance(value, np.float32) else f"{value:.17g}"
    return text if "." in text or "e" in text else f"{text}.0"


def json_bytes_object(value: bytes) -> str:
    """Bytes that are no text."""
    return f'{{"b64": "{base64.b64encode(value).decode()}"}}'


def error_json(message: str) -> bytes:
    """The body of an answer that says what went wrong."""
    return f'{{\n{INDENT}"error": {json_string(message)}\n}}'.encode("utf-8", "surrogateescape")


def shown_json(value: Any, limit: int = 4096) -> str:
    """A parsed value as it is shown in a message, cut after `limit` characters; any depth will do."""
    shown: list[str] = []
    length = 0
    for piece in _pieces(value):
        shown.append(piece)
        length += len(piece)
        if length > limit:
            return "".join(shown)[:limit] + "..."
    return "".join(shown)


def _pieces(value: Any) -> Iterator[str]:
    """The text of a value, piece by piece, with a stack of its own."""
    stack: list[tuple[Iterator[Any], bool, str]] = []
    yield from _open(value, stack)
    while stack:
        items, is_first, closing = stack.pop()
        item: Any = next(items, _END)
        indent = INDENT * len(stack)
        if item is _END:
            yield closing if is_first else f"\n{indent}{closing}"
            continue
        stack.append((items, False, closing))
        yield f"{'' if is_first else ','}\n{indent}{INDENT}"
        if closing == "}":
            yield f"{json_string(item[0])}: "
            item = item[1]
        yield from _open(item, stack)


_END = object()


def _open(value: Any, stack: list[tuple[Iterator[Any], bool, str]]) -> Iterator[str]:
    if isinstance(value, Mapping):
        stack.append((iter(value.items()), True, "}"))
        yield "{"
    elif isinstance(value, list):
        stack.append((iter(value), True, "]"))
        yield "["
    elif isinstance(value, str):
        yield json_string(value)
    elif isinstance(value, float):
        yield json_float(np.float64(value))
    else:
        yield json.dumps(value)


def _escape(character: str) -> str:
    return _SHORT.get(character, f"\\u{ord(character):04X}")
