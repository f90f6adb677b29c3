"""Tensors in and out of TensorProto, against TensorFlow's own encoding."""

from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow.core.framework import types_pb2
from tensorflow.core.framework.tensor_pb2 import TensorProto

from serving.model_server.serving_error import ServingError
from serving.model_server.tensors import from_proto, to_proto

ARRAYS = [
    np.array([[1.5, -2], [3, np.inf]], np.float32),
    np.array(7.25, np.float64),
    np.array([1, -128, 127], np.int8),
    np.array([0, 255], np.uint8),
    np.array([-32768, 32767], np.int16),
    np.array([0, 65535], np.uint16),
    np.array([-(2**31), 2**31 - 1], np.int32),
    np.array([0, 2**32 - 1], np.uint32),
    np.array([-(2**63), 2**63 - 1], np.int64),
    np.array([0, 2**64 - 1], np.uint64),
    np.array([True, False]),
    np.array([1.5, -2], np.float16),
    np.array([1 + 2j, -3j], np.complex64),
    np.array([1 + 2j, -3j], np.complex128),
    np.array([b"a", b"", b"\x00\xff" * 100], object),
    np.empty((0, 3), np.float32),
    np.empty((0, 2), object),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
def test_round_trip_by_way_of_tensorflow(array: np.ndarray) -> None:
    proto = to_proto(array)
    assert not proto.tensor_content
    theirs = tf.make_ndarray(proto)
    assert theirs.shape == array.shape and theirs.tolist() == array.tolist()
    dtype = tf.string if array.dtype == object else array.dtype
    for sent in (proto, tf.make_tensor_proto(array, dtype, array.shape)):
        ours = from_proto("x", sent)
        assert ours.dtype == array.dtype and ours.shape == array.shape and ours.tolist() == array.tolist()


def test_bfloat16() -> None:
    array = tf.constant([1.5, -2.0], tf.bfloat16).numpy()
    assert tf.make_ndarray(to_proto(array)).tolist() == [1.5, -2.0]
    assert from_proto("x", tf.make_tensor_proto(array)).tolist() == [1.5, -2.0]


def string_content(*values: bytes) -> bytes:
    """Lengths as variable-length integers (all below 128 but 200 = 0xC8 0x01), then the bytes."""
    lengths = b"".join(
        bytes([len(v)]) if len(v) < 128 else bytes([len(v) & 127 | 128, len(v) >> 7]) for v in values
    )
    return lengths + b"".join(values)


def test_strings_as_content() -> None:
    proto = TensorProto(dtype=types_pb2.DT_STRING, tensor_content=string_content(b"ab", b"", b"x" * 200))
    proto.tensor_shape.dim.add(size=3)
    assert from_proto("x", proto).tolist() == [b"ab", b"", b"x" * 200]


def proto_of(dtype: int, *shape: int, **fields: Any) -> TensorProto:
    proto = TensorProto(dtype=dtype, **fields)
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    return proto


def test_missing_values_are_the_last_one_and_surplus_ones_nothing() -> None:
    assert from_proto("x", proto_of(types_pb2.DT_FLOAT, 4, float_val=[1, 2])).tolist() == [1, 2, 2, 2]
    assert from_proto("x", proto_of(types_pb2.DT_FLOAT, 1, float_val=[1, 2])).tolist() == [1]
    assert from_proto("x", proto_of(types_pb2.DT_INT64, 2)).tolist() == [0, 0]
    assert from_proto("x", proto_of(types_pb2.DT_STRING, 2)).tolist() == [b"", b""]
    assert from_proto("x", proto_of(types_pb2.DT_UINT8, 2, int_val=[257, -1])).tolist() == [1, 255]


@pytest.mark.parametrize(
    "proto",
    [
        proto_of(types_pb2.DT_FLOAT, 2, tensor_content=b"\x00" * 7),
        proto_of(types_pb2.DT_FLOAT, 1, tensor_content=b"\x00" * 8),
        proto_of(types_pb2.DT_FLOAT, -1, float_val=[1]),
        proto_of(types_pb2.DT_INVALID, 1),
        proto_of(types_pb2.DT_RESOURCE, 1),
        proto_of(999, 1),
        proto_of(types_pb2.DT_FLOAT, *[1] * 65, float_val=[1]),
        proto_of(types_pb2.DT_FLOAT, 0, 2**62),
        proto_of(types_pb2.DT_COMPLEX128, 0, 2**58),
        proto_of(types_pb2.DT_FLOAT, 2**40, float_val=[1]),
        proto_of(types_pb2.DT_FLOAT, *[2**62] * 4),
        proto_of(types_pb2.DT_STRING, 2, tensor_content=b"\x05\x05ab"),
        proto_of(types_pb2.DT_STRING, 2**40, tensor_content=b"\x00"),
        proto_of(types_pb2.DT_STRING, 1, tensor_content=b"\xff" * 20),
    ],
    ids=lambda proto: str(proto)[:40].replace("\n", " "),
)
def test_what_is_no_tensor(proto: TensorProto) -> None:
    with pytest.raises(ServingError, match="tensor parsing error: x") as raised:
        from_proto("x", proto)
    assert raised.value.code == grpc.StatusCode.INVALID_ARGUMENT


def test_the_largest_shapes() -> None:
    assert from_proto("x", proto_of(types_pb2.DT_FLOAT, *[1] * 64, float_val=[1])).ndim == 64
    assert from_proto("x", proto_of(types_pb2.DT_COMPLEX128, 0, 2**57)).shape == (0, 2**57)


def test_unknown_rank_is_no_tensor() -> None:
    proto = TensorProto(dtype=types_pb2.DT_FLOAT, float_val=[1])
    proto.tensor_shape.unknown_rank = True
    with pytest.raises(ServingError, match="tensor parsing error"):
        from_proto("x", proto)


@given(st.sampled_from(list(range(30))), st.lists(st.integers(-1, 4), max_size=3), st.binary(max_size=40))
@settings(max_examples=200, deadline=None)
def test_whatever_comes_is_a_tensor_or_an_error(dtype: int, shape: list[int], content: bytes) -> None:
    proto = proto_of(dtype, *shape, tensor_content=content)
    try:
        assert from_proto("x", proto).shape == tuple(shape)
    except ServingError as error:
        assert error.message == "tensor parsing error: x"
