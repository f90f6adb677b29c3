"""Tensors in and out of JSON."""

import math
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf.meta_graph_pb2 import TensorInfo

from serving.model_server.json_in import parse_request
from serving.model_server.json_out import predictions_json
from serving.model_server.json_writer import error_json, json_float, shown_json
from serving.model_server.serving_error import ServingError

FLOAT, DOUBLE, STRING = types_pb2.DT_FLOAT, types_pb2.DT_DOUBLE, types_pb2.DT_STRING
INT32, INT64, UINT8, BOOL = types_pb2.DT_INT32, types_pb2.DT_INT64, types_pb2.DT_UINT8, types_pb2.DT_BOOL

BFLOAT16 = tf.constant([1.5], tf.bfloat16).numpy()


def inputs(body: bytes | str, **dtypes: int) -> dict[str, np.ndarray]:
    data = body.encode() if isinstance(body, str) else body
    return parse_request(data).inputs({name: TensorInfo(dtype=dtype) for name, dtype in dtypes.items()})


def error_of(body: bytes | str, **dtypes: int) -> ServingError:
    with pytest.raises(ServingError) as raised:
        inputs(body, **dtypes)
    return raised.value


@pytest.mark.parametrize(
    ("body", "dtype", "expected"),
    [
        ('{"instances": [1, 2.5]}', FLOAT, np.array([1, 2.5], np.float32)),
        ('{"instances": [{"x": 1}, {"x": 2}]}', FLOAT, np.array([1, 2], np.float32)),
        ('{"instances": [[[1], [2]]]}', INT64, np.array([[[1], [2]]])),
        ('{"instances": [[], []]}', FLOAT, np.empty((2, 0), np.float32)),
        ('{"inputs": 3}', INT32, np.array(3, np.int32)),
        ('{"inputs": []}', INT32, np.empty(0, np.int32)),
        ('{"inputs": {"x": [1], "extra": "ignored"}}', INT32, np.array([1], np.int32)),
        ('{"inputs": [true, false]}', BOOL, np.array([True, False])),
        ('{"inputs": [255, 256, -1]}', UINT8, np.array([255, 0, 255], np.uint8)),
        ('{"inputs": [9007199254740993]}', INT64, np.array([2**53 + 1])),
        ('{"inputs": [18446744073709551615]}', types_pb2.DT_UINT64, np.array([2**64 - 1], np.uint64)),
        ('{"inputs": [1e39, -1e39, 1e-50]}', FLOAT, np.array([math.inf, -math.inf, 0], np.float32)),
        ('{"inputs": [Infinity, -Infinity]}', DOUBLE, np.array([math.inf, -math.inf])),
        ('{"ignored": {}, "inputs": [1], "inputs": [2]}', FLOAT, np.array([1], np.float32)),
    ],
)
def test_numbers(body: str, dtype: int, expected: np.ndarray) -> None:
    array = inputs(body, x=dtype)["x"]
    assert array.dtype == expected.dtype and array.shape == expected.shape
    assert array.tolist() == expected.tolist()


def test_nan_is_a_number() -> None:
    assert np.isnan(inputs('{"instances": [NaN]}', x=FLOAT)["x"]).all()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"instances": ["a", "5"]}', [b"a", b"5"]),
        ('{"instances": [{"b64": "YQ=="}, {"b64": "YQ"}, {"b64": ""}]}', [b"a", b"a", b""]),
        ('{"instances": [{"x": {"b64": "_-8="}}]}'.replace("_-8=", "/+8="), [b"\xff\xef"]),
        ('{"inputs": {"b64": "AP8="}}', b"\x00\xff"),
        (b'{"inputs": ["\xff\xfe"]}', [b"\xff\xfe"]),
        ('{"inputs": ["a\\u0000b"]}', [b"a\x00b"]),
    ],
)
def test_strings(body: str | bytes, expected: Any) -> None:
    assert inputs(body, x=STRING)["x"].tolist() == expected


def test_rows_of_several_inputs() -> None:
    read = inputs('{"instances": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]}', a=INT32, b=STRING)
    assert read["a"].tolist() == [1, 2] and read["b"].tolist() == [b"x", b"y"]


def test_columns_of_several_inputs_need_no_common_size() -> None:
    read = inputs('{"inputs": {"a": [1, 2, 3], "b": "x"}}', a=INT32, b=STRING)
    assert read["a"].tolist() == [1, 2, 3] and read["b"].tolist() == b"x"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "JSON Parse error: The document is empty"),
        ("[", "JSON Parse error: Invalid value. at offset: 1"),
        ("[1]", "Is not object"),
        ('{"signature_name": 5}', "'signature_name' key must be a string value."),
        ("{}", "Missing 'inputs' or 'instances' key"),
        ('{"inputs": [1], "instances": [1]}', "only one of 'inputs' or 'instances' keys"),
        ('{"instances": 5}', "Excepting 'instances' to be an list/array"),
        ('{"instances": []}', "No values in 'instances' array"),
        (
            '{"instances": [1, "a"]}',
            (
                "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: "
                'JSON Value: "a" Type: String is not of expected type: float'
            ),
        ),
        (
            '{"instances": [{"x": 1}, {"x": [2]}]}',
            (
                "Failed to process element: 1 key: x of 'instances' list. Error: INVALID_ARGUMENT: "
                "Expecting shape [] but got: [1]"
            ),
        ),
        ('{"instances": [[1], [2, 3]]}', "Expecting tensor size: 1 but got: 2"),
        ('{"instances": [[1, 2], [[3], [4]]]}', "Expecting shape [2] but got: [2,1]"),
        ('{"instances": [[[1], 2]]}', "found at incorrect level: 2 in the JSON DOM. Expected at level: 2"),
        ('{"instances": [[1, [2]]]}', "Encountered list at unexpected level: 1 expected < 1"),
        (
            '{"instances": [[[1], [2, 3]]]}',
            "Encountered list at unexpected size: 2 at level: 1 expected size: 1",
        ),
        ('{"instances": [{"x": 1}, 5]}', "Expecting object but got list at item 1 of input list"),
        ('{"instances": [5, {"x": 1}]}', "Expecting value/list but got object at item 1 of input list"),
        ('{"instances": [{"y": 1}]}', "JSON object: does not have named input: y"),
        ('{"instances": [{"x": 1, "y": 1}]}', "does not have named input: y"),
        ('{"inputs": {"y": [1]}}', "Missing named input: x in 'inputs' object."),
        ('{"inputs": [null]}', "JSON Value: null Type: Null is not of expected type: float"),
        ('{"inputs": [true]}', "JSON Value: true Type: True is not of expected type: float"),
        ('{"inputs": ["1"]}', "is not of expected type: float"),
        ('{"inputs": {"x": {"b64": "YQ=="}}}', "Type: Object is not of expected type: float"),
    ],
)
def test_what_does_not_fit_one_float_input(body: str, message: str) -> None:
    error = error_of(body, x=FLOAT)
    assert error.code == grpc.StatusCode.INVALID_ARGUMENT and message in error.message


@pytest.mark.parametrize(
    ("body", "dtype", "message"),
    [
        ('{"inputs": [1.0]}', INT32, "JSON Value: 1.0 Type: Number is not of expected type: int32"),
        ('{"inputs": [2147483648]}', INT32, "is not of expected type: int32"),
        ('{"inputs": [18446744073709551615]}', INT64, "is not of expected type: int64"),
        ('{"inputs": [-1]}', types_pb2.DT_UINT32, "is not of expected type: uint32"),
        ('{"inputs": [1]}', BOOL, "is not of expected type: bool"),
        ('{"inputs": [1]}', STRING, "is not of expected type: string"),
        ('{"inputs": [{"b64": 5}]}', STRING, "not formatted correctly for base64 data"),
        ('{"inputs": [{"b64": "YQ==", "c": 1}]}', STRING, "not formatted correctly for base64 data"),
        ('{"inputs": [{"b64": "Y*"}]}', STRING, "Unable to base64 decode"),
        ('{"inputs": [{"b64": "YQ="}]}', STRING, "Unable to base64 decode"),
        ('{"inputs": [{"b64": "é"}]}', STRING, "Unable to base64 decode"),
        ('{"instances": [1]}', types_pb2.DT_HALF, "Conversion of JSON Value: 1 to type: half"),
        ('{"instances": [1]}', types_pb2.DT_BFLOAT16, "Conversion of JSON Value: 1 to type: bfloat16"),
        (
            '{"instances": [{"x": 1}]}',
            types_pb2.DT_COMPLEX64,
            "Conversion of JSON Value: 1 to type: complex64",
        ),
    ],
)
def test_what_does_not_fit_other_types(body: str, dtype: int, message: str) -> None:
    error = error_of(body, x=dtype)
    assert error.code == grpc.StatusCode.INVALID_ARGUMENT and message in error.message


def test_types_that_json_lacks_are_unimplemented_by_columns() -> None:
    for dtype in (types_pb2.DT_HALF, types_pb2.DT_BFLOAT16, types_pb2.DT_COMPLEX64):
        assert error_of('{"inputs": [1]}', x=dtype).code == grpc.StatusCode.UNIMPLEMENTED


def test_several_inputs_need_objects() -> None:
    assert "expecting list of objects" in error_of('{"instances": [1]}', a=FLOAT, b=FLOAT).message
    assert "expecting an object" in error_of('{"inputs": [1]}', a=FLOAT, b=FLOAT).message
    message = error_of('{"instances": [{"a": 1, "b": 1}, {"a": 1}]}', a=FLOAT, b=FLOAT).message
    assert message.startswith("Failed to process element: 1 of 'instances' list. JSON object: {")
    assert message.endswith("must only have keys: a,b")


def test_endless_nesting_is_no_tensor() -> None:
    depth = 50_000
    nested = "[" * depth + "1" + "]" * depth
    for body in (f'{{"inputs": {nested}}}', f'{{"instances": {nested}}}'):
        assert "tensor parsing error: x" in error_of(body, x=FLOAT).message
    assert len(error_of(nested, x=FLOAT).message) < 10_000


# absl prints six digits, and nine or seventeen where six name another number.
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.2), "0.2"),
        (np.float32(1), "1.0"),
        (np.float32(-0.0), "-0.0"),
        (np.float32(9e6), "9e+06"),
        (np.float32(0.00003), "3e-05"),
        (np.float32(1 / 3), "0.333333343"),
        (np.float64(1 / 3), "0.33333333333333331"),
        (np.float32(16777216), "16777216.0"),
        (np.float64(0.1), "0.1"),
        (np.float32(math.nan), "NaN"),
        (np.float64(-math.inf), "-Infinity"),
    ],
)
def test_floats(value: Any, expected: str) -> None:
    assert json_float(value) == expected


def bytes_array(*values: bytes) -> np.ndarray:
    array = np.empty(len(values), object)
    array[:] = values
    return array


@pytest.mark.parametrize(
    ("outputs", "is_row", "expected"),
    [
        ({"y": np.float32([1, 2.5])}, True, '{\n    "predictions": [1.0, 2.5\n    ]\n}'),
        ({"y": np.int64([[1, 2], [3, 4]])}, True, '{\n    "predictions": [[1, 2], [3, 4]\n    ]\n}'),
        ({"y": np.int64([1, 2])}, False, '{\n    "outputs": [\n        1,\n        2\n    ]\n}'),
        ({"y": np.array(True)}, False, '{\n    "outputs": true\n}'),
        ({"y": np.empty(0, np.float32)}, False, '{\n    "outputs": []\n}'),
        (
            {"a": np.uint8([1]), "b": bytes_array(b'"\xc3\xa9\n\x01')},
            True,
            '{\n    "predictions": [\n        {\n            "a": 1,\n            "b": "\\"é\\n\\u0001"\n        }\n    ]\n}',
        ),
        (
            {"a": np.int32([1]), "b_bytes": bytes_array(b"\xff")},
            False,
            (
                '{\n    "outputs": {\n        "a": [\n            1\n        ],\n        "b_bytes": [\n            '
                '{"b64": "/w=="}\n        ]\n    }\n}'
            ),
        ),
    ],
)
def test_answers(outputs: dict[str, np.ndarray], is_row: bool, expected: str) -> None:
    assert predictions_json(outputs, is_row).decode() == expected


def test_bytes_that_are_no_text_go_out_as_they_are() -> None:
    assert b'"\xff\xfe"' in predictions_json({"y": bytes_array(b"\xff\xfe")}, True)


@pytest.mark.parametrize(
    ("outputs", "is_row", "message"),
    [
        ({}, True, "Cannot convert empty tensor map to JSON"),
        ({"y": np.array(1.0)}, True, "Tensor name: y has no shape information"),
        ({"y": np.empty(0)}, True, "Tensor name: y has invalid batch size: 0"),
        (
            {"a": np.zeros(2), "b": np.zeros(3)},
            True,
            "Tensor name: b has inconsistent batch size: 3 expecting: 2",
        ),
        ({"y": np.zeros(1, np.float16)}, False, "Failed to write JSON value for tensor type: half"),
        ({"y": BFLOAT16}, True, "Failed to write JSON value for tensor type: bfloat16"),
        ({"y": BFLOAT16}, False, "Failed to write JSON value for tensor type: bfloat16"),
        ({"y": np.zeros(1, np.complex64)}, True, "Failed to write JSON value for tensor type: complex64"),
    ],
)
def test_what_is_no_answer(outputs: dict[str, np.ndarray], is_row: bool, message: str) -> None:
    with pytest.raises(ServingError, match=message) as raised:
        predictions_json(outputs, is_row)
    assert raised.value.code == grpc.StatusCode.INVALID_ARGUMENT


def test_values_in_messages() -> None:
    assert (
        shown_json({"a": [1, {}], "b": []}) == '{\n    "a": [\n        1,\n        {}\n    ],\n    "b": []\n}'
    )
    assert len(shown_json(["x" * 10_000])) < 5_000
    assert error_json('a "b"\n') == b'{\n    "error": "a \\"b\\"\\n"\n}'
