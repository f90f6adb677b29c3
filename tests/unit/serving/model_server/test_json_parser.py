"""JSON as TF Serving's parser reads it: where it is not Python's, and where it is."""

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.model_server.json_parser import JsonError, _Parser, parse_json


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a": 1, "a": 2, "b": 3}', {"a": 1, "b": 3}),
        (b' \t\r\n{"a": [1, 2.5, true, null]} and what follows', {"a": [1, 2.5, True, None]}),
        (b"\xef\xbb\xbf[1]", [1]),
        (b"[Infinity, -Infinity, Inf, -Inf]", [math.inf, -math.inf, math.inf, -math.inf]),
        (b"[18446744073709551615, -9223372036854775808]", [2**64 - 1, -(2**63)]),
        (b"[18446744073709551616]", [2.0**64]),
        (b"[-0, 0.5e1, 1E-2]", [0, 5.0, 0.01]),
        (rb'["\u00e9\ud83d\udc5f\/\b"]', ["é👟/\b"]),
        ('["é👟"]'.encode(), ["é👟"]),
        (b'["\xff"]', ["\udcff"]),
        (b"[1e-400]", [0.0]),
        (b"[[], {}, [[]]]", [[], {}, [[]]]),
    ],
)
def test_values(body: bytes, expected: Any) -> None:
    assert parse_json(body) == expected
    assert _Parser(body.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")).parse() == expected


def test_nan() -> None:
    value, negative = parse_json(b"[NaN, -NaN]")
    assert math.isnan(value) and math.isnan(negative)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The document is empty"),
        (b"  ", "The document is empty at offset: 2"),
        (b"{", "Missing a name for object member. at offset: 1"),
        (b'{"a" 1}', "Missing a colon after a name of object member. at offset: 5"),
        (b'{"a": 1 "b"}', "Missing a comma or } after an object member. at offset: 8"),
        (b"[1 2]", "Missing a comma or ] after an array element. at offset: 3"),
        (b"[1,]", "Invalid value. at offset: 3"),
        (b'{"a":1,}', "Missing a name for object member. at offset: 7"),
        (b"[trux]", "Invalid value. at offset: 4"),
        (b"hello", "Invalid value. at offset: 0"),
        (b"[01]", "Missing a comma or ] after an array element. at offset: 2"),
        (b"[1e400]", "Number too big to be stored in double. at offset: 1"),
        (b"[1.]", "Miss fraction part in number. at offset: 3"),
        (b"[1e]", "Miss exponent in number. at offset: 3"),
        (b'["a', "Missing a closing quotation mark in string. at offset: 1"),
        (b'["\n"]', "Invalid encoding in string. at offset: 2"),
        (rb'["\x"]', "Invalid escape character in string. at offset: 2"),
        (rb'["\u12g4"]', "Incorrect hex digit after"),
        (rb'["\ud83d"]', "The surrogate pair in string is invalid."),
        (rb'["\udc5f"]', "The surrogate pair in string is invalid."),
        (rb'["\ud83d\u0041"]', "The surrogate pair in string is invalid."),
        ("[é".encode(), "Invalid value. at offset: 1"),
        ('["é", x]'.encode(), "Invalid value. at offset: 7"),
    ],
)
def test_errors_say_what_and_where(body: bytes, message: str) -> None:
    with pytest.raises(JsonError) as raised:
        parse_json(body)
    assert message in str(raised.value)


def test_nesting_is_unlimited() -> None:
    depth = 500_000
    value = parse_json(b"[" * depth + b"]" * depth)
    for _ in range(depth - 1):
        (value,) = value
    assert value == []
    with pytest.raises(JsonError, match="Invalid value. at offset: 500000"):
        parse_json(b"[" * depth)


def test_long_numbers_are_read_in_time() -> None:
    assert parse_json(b"[" + b"1" * 300 + b"]") == [float("1" * 300)]
    with pytest.raises(JsonError, match="Number too big"):
        parse_json(b"[" + b"1" * 100_000 + b"]")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
)


@given(JSON)
@settings(max_examples=100, deadline=None)
def test_both_parsers_read_what_python_writes(value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value, indent=1)):
        assert parse_json(text.encode()) == value
        assert _Parser(text).parse() == value


@given(st.binary(max_size=40) | st.text('[]{},:"\\u1eE.-+ tfnNaI', max_size=20).map(str.encode))
@settings(max_examples=300, deadline=None)
def test_whatever_comes_the_two_parsers_agree(body: bytes) -> None:
    def read(parse: Any) -> Any:
        try:
            return repr(parse())
        except JsonError as error:
            return str(error)

    # Only lists and objects matter: of a bare number Python reads what it can.
    text = (b"[" + body).decode("utf-8", "surrogateescape")
    assert read(lambda: parse_json(b"[" + body)) == read(lambda: _Parser(text).parse())
