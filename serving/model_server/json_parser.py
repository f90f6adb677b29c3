"""JSON as TF Serving's parser reads it."""

import json
import math
import re
from typing import Any, NoReturn

# Half a surrogate pair is an error to TF Serving, and none to Python.
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_BLANK = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"(-?)(?:(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?|NaN|Inf(?:inity)?)")
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_HEX = re.compile(r"[0-9a-fA-F]{4}")
_WORDS = {"t": ("true", True), "f": ("false", False), "n": ("null", None)}
_MAX_INTEGER_DIGITS = 20
_BOM = b"\xef\xbb\xbf"


class JsonError(ValueError):
    """Text that is no JSON; its message says what and where."""


def parse_json(body: bytes) -> Any:
    """The first value of a text; what follows it is ignored.

    NaN, Infinity and -Infinity are numbers. Of an object's equal keys the first one counts. Strings keep bytes that are
    no UTF-8 as surrogates. Lists and objects may be nested without end.

    Args:
        body: the text.
    Returns:
        Dictionaries, lists, strings, numbers, booleans and None; integers beyond 64 bits are floats.
    Raises:
        JsonError: if it is none.
    """
    if not body:
        raise JsonError("The document is empty")
    text = body.removeprefix(_BOM).decode("utf-8", "surrogateescape")
    if not _SURROGATE.search(body):
        try:
            start = _end(_BLANK, text, 0)
            return _DECODER.raw_decode(text, start)[0]
        except (ValueError, RecursionError):
            # What Python's quick parser cannot read, the other one reads or says what is wrong with.
            pass
    return _Parser(text).parse()


def _end(pattern: re.Pattern[str], text: str, place: int) -> int:
    match = pattern.match(text, place)
    assert match is not None
    return match.end()


def _integer(digits: str) -> int | float:
    if len(digits) > _MAX_INTEGER_DIGITS or not -(2**63) <= int(digits) < 2**64:
        return _finite(digits)
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("Number too big to be stored in double.")
    return number


def _first_of_equals(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        for key, value in reversed(pairs):
            members[key] = value
    return members


_DECODER = json.JSONDecoder(
    object_pairs_hook=_first_of_equals, parse_int=_integer, parse_float=_finite, parse_constant=float
)


class _Parser:
    """A parser that keeps its own stack, so that no depth is too deep."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._place = 0

    def parse(self) -> Any:
        """The value at the start of the text."""
        # Of each open list or object: the container, and the key under which the next value goes.
        stack: list[tuple[list | dict, str | None]] = []
        self._skip_blank()
        if self._place == len(self._text):
            self._fail("The document is empty")
        while True:
            value, is_open = self._value()
            if is_open:
                stack.append((value, self._key() if isinstance(value, dict) else None))
                continue
            while stack:
                container, key = stack.pop()
                self._put(container, key, value)
                if self._goes_on(container):
                    stack.append((container, self._key() if isinstance(container, dict) else None))
                    break
                value = container
            else:
                return value

    @staticmethod
    def _put(container: list | dict, key: str | None, value: Any) -> None:
        if isinstance(container, list):
            container.append(value)
        else:
            container.setdefault(key, value)

    def _value(self) -> tuple[Any, bool]:
        """A value, and whether it is a container whose values are still to come."""
        character = self._peek()
        if character in ("[", "{"):
            self._place += 1
            self._skip_blank()
            closing = "]" if character == "[" else "}"
            is_empty = self._peek() == closing
            self._place += is_empty
            return [] if character == "[" else {}, not is_empty
        if character == '"':
            return self._string(), False
        if character in _WORDS:
            return self._word(*_WORDS[character]), False
        return self._number(), False

    def _goes_on(self, container: list | dict) -> bool:
        """Whether a comma follows; else the container ends here."""
        self._skip_blank()
        is_list = isinstance(container, list)
        character = self._peek()
        if character not in (",", "]" if is_list else "}") or not character:
            kind = "] after an array element." if is_list else "} after an object member."
            self._fail(f"Missing a comma or {kind}")
        self._place += 1
        self._skip_blank()
        return character == ","

    def _key(self) -> str:
        if self._peek() != '"':
            self._fail("Missing a name for object member.")
        key = self._string()
        self._skip_blank()
        if self._peek() != ":":
            self._fail("Missing a colon after a name of object member.")
        self._place += 1
        self._skip_blank()
        return key

    def _word(self, word: str, value: bool | None) -> bool | None:
        for place, letter in enumerate(word):
            if self._text[self._place + place : self._place + place + 1] != letter:
                self._place += place
                self._fail("Invalid value.")
        self._place += len(word)
        return value

    def _number(self) -> int | float:
        match = _NUMBER.match(self._text, self._place)
        if match is None:
            self._fail("Invalid value.")
        start, self._place = self._place, match.end()
        digits, fraction, exponent = match.group(2, 3, 4)
        if digits is None:
            return float(match.group())
        if fraction is None and exponent is None and self._peek() == ".":
            self._place += 1
            self._fail("Miss fraction part in number.")
        if exponent is None and self._peek() in tuple("eE"):
            self._place += 1
            self._fail("Miss exponent in number.")
        convert = _integer if fraction is None and exponent is None else _finite
        try:
            return convert(match.group())
        except ValueError as error:
            self._place = start
            self._fail(str(error))

    def _string(self) -> str:
        start = self._place
        parts = []
        self._place += 1
        while True:
            end = _end(_PLAIN, self._text, self._place)
            parts.append(self._text[self._place : end])
            self._place = end
            character = self._peek()
            if character == '"':
                self._place += 1
                return "".join(parts)
            if character != "\\":
                if not character:
                    self._place = start
                    self._fail("Missing a closing quotation mark in string.")
                self._fail("Invalid encoding in string.")
            parts.append(self._escape())

    def _escape(self) -> str:
        start = self._place
        self._place += 1
        character = self._peek()
        self._place += 1
        if character in _ESCAPES:
            return _ESCAPES[character]
        if character != "u":
            self._place = start
            self._fail("Invalid escape character in string.")
        code = self._hex(start)
        if 0xDC00 <= code <= 0xDFFF:
            self._fail_at(start, "The surrogate pair in string is invalid.")
        if 0xD800 <= code <= 0xDBFF:
            if self._text[self._place : self._place + 2] != "\\u":
                self._fail_at(start, "The surrogate pair in string is invalid.")
            self._place += 2
            low = self._hex(start)
            if not 0xDC00 <= low <= 0xDFFF:
                self._fail_at(start, "The surrogate pair in string is invalid.")
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
        return chr(code)

    def _hex(self, start: int) -> int:
        match = _HEX.match(self._text, self._place)
        if match is None:
            self._fail_at(start, "Incorrect hex digit after \\u escape in string.")
        self._place = match.end()
        return int(match.group(), 16)

    def _skip_blank(self) -> None:
        self._place = _end(_BLANK, self._text, self._place)

    def _peek(self) -> str:
        return self._text[self._place : self._place + 1]

    def _fail_at(self, place: int, message: str) -> NoReturn:
        self._place = place
        self._fail(message)

    def _fail(self, message: str) -> NoReturn:
        # The place in the bytes, of which the text is a reading.
        offset = len(self._text[: self._place].encode("utf-8", "surrogateescape"))
        raise JsonError(f"{message} at offset: {offset}")
