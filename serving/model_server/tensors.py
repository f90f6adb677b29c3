"""Between TensorProto and arrays, as TensorFlow's C++ does it."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2, types_pb2

from serving.model_server.serving_error import ServingError, invalid

# A request of a few bytes may name a shape of any size, which is filled with its last value.
MAX_FILLED_BYTES = 1 << 28
# NumPy's; TensorFlow has 254.
MAX_RANK = 64
_MAX_ELEMENTS = 2**58

_HALF = (types_pb2.DT_HALF, types_pb2.DT_BFLOAT16)
_COMPLEX = {types_pb2.DT_COMPLEX64: "scomplex_val", types_pb2.DT_COMPLEX128: "dcomplex_val"}
_FIELDS = {
    types_pb2.DT_FLOAT: "float_val",
    types_pb2.DT_DOUBLE: "double_val",
    types_pb2.DT_INT8: "int_val",
    types_pb2.DT_INT16: "int_val",
    types_pb2.DT_INT32: "int_val",
    types_pb2.DT_UINT8: "int_val",
    types_pb2.DT_UINT16: "int_val",
    types_pb2.DT_UINT32: "uint32_val",
    types_pb2.DT_UINT64: "uint64_val",
    types_pb2.DT_INT64: "int64_val",
    types_pb2.DT_BOOL: "bool_val",
    types_pb2.DT_STRING: "string_val",
    types_pb2.DT_HALF: "half_val",
    types_pb2.DT_BFLOAT16: "half_val",
    **_COMPLEX,
}


def dtype_name(dtype: int) -> str:
    """What TensorFlow calls a type in its messages: `float`, not `DT_FLOAT`."""
    return types_pb2.DataType.Name(dtype).removeprefix("DT_").lower()


def from_proto(name: str, proto: tensor_pb2.TensorProto) -> np.ndarray:
    """The array that a proto says; too few values are filled with the last one, or zeros.

    Args:
        name: of the input, for the message.
        proto: with `tensor_content` or typed values.
    Returns:
        An array of the proto's type and shape; strings are bytes objects.
    Raises:
        ServingError: if it says no tensor.
    """
    shape = _shape(proto.tensor_shape)
    if shape is None or proto.dtype not in _FIELDS:
        raise _parsing_error(name)
    values = _content(proto, shape) if proto.tensor_content else _typed_values(proto, shape)
    if values is None:
        raise _parsing_error(name)
    return values.reshape(shape)


def to_proto(array: np.ndarray) -> tensor_pb2.TensorProto:
    """The proto of an array, with typed values, which is what TF Serving answers."""
    dtype = _dtype_of(array)
    proto = tensor_pb2.TensorProto(dtype=dtype)
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    flat = array.ravel()
    if dtype in _HALF:
        flat = flat.view(np.uint16)
    elif dtype in _COMPLEX:
        flat = flat.view(flat.real.dtype)
    getattr(proto, _FIELDS[dtype]).extend(flat.tolist())
    return proto


def _dtype_of(array: np.ndarray) -> int:
    dtype = types_pb2.DT_STRING if array.dtype == object else tf.as_dtype(array.dtype).as_datatype_enum
    if dtype not in _FIELDS:
        raise invalid(f"outputs of type {dtype_name(dtype)} are not supported")
    return dtype


def _parsing_error(name: str) -> ServingError:
    return invalid(f"tensor parsing error: {name}")


def _shape(proto: tensor_shape_pb2.TensorShapeProto) -> list[int] | None:
    shape = [dim.size for dim in proto.dim]
    if proto.unknown_rank or len(shape) > MAX_RANK or any(size < 0 for size in shape):
        return None
    # Also of no elements at all, where one dimension is none and others are beyond all bounds.
    if math.prod(max(1, size) for size in shape) >= _MAX_ELEMENTS:
        return None
    return shape


def _content(proto: tensor_pb2.TensorProto, shape: list[int]) -> np.ndarray | None:
    if proto.dtype == types_pb2.DT_STRING:
        return _string_content(proto.tensor_content, math.prod(shape))
    dtype = tf.as_dtype(proto.dtype).as_numpy_dtype
    if len(proto.tensor_content) != math.prod(shape) * np.dtype(dtype).itemsize:
        return None
    return np.frombuffer(proto.tensor_content, dtype)


def _string_content(content: bytes, count: int) -> np.ndarray | None:
    """Strings are written as all their lengths, as variable-length integers, and then all their bytes."""
    if count > len(content):
        return None
    lengths, place = [], 0
    for _ in range(count):
        length, place = _varint(content, place)
        lengths.append(length)
    if place + sum(lengths) != len(content):
        return None
    values = np.empty(count, object)
    for number, length in enumerate(lengths):
        values[number] = content[place : place + length]
        place += length
    return values


def _varint(content: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(content) and shift < 64:
        byte = content[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            break
    return value, place


def _typed_values(proto: tensor_pb2.TensorProto, shape: list[int]) -> np.ndarray | None:
    count = math.prod(shape)
    values = _as_array(proto.dtype, getattr(proto, _FIELDS[proto.dtype]))
    if len(values) >= count:
        return values[:count]
    if count * values.itemsize > MAX_FILLED_BYTES:
        return None
    filled = np.empty(count, values.dtype)
    filled[: len(values)] = values
    filled[len(values) :] = values[-1] if len(values) else b"" if values.dtype == object else 0
    return filled


def _as_array(dtype: int, values: Any) -> np.ndarray:
    numpy_dtype = np.dtype(tf.as_dtype(dtype).as_numpy_dtype)
    if dtype == types_pb2.DT_STRING:
        strings = np.empty(len(values), object)
        strings[:] = list(values)
        return strings
    if dtype in _HALF:
        return np.array(values, np.int64).astype(np.uint16).view(numpy_dtype)
    if dtype in _COMPLEX:
        return _pairs(values).astype(numpy_dtype)
    return _wrapped(values, numpy_dtype)


def _pairs(values: Iterable[float]) -> np.ndarray:
    parts = np.array(values, np.float64)
    return parts[: len(parts) // 2 * 2].view(np.complex128)


def _wrapped(values: Iterable[float], dtype: np.dtype) -> np.ndarray:
    """Small integers travel as larger ones; what does not fit wraps around, as a cast in C++ does."""
    wide: dict[str, Callable[[Iterable[float]], np.ndarray]] = {
        "i": lambda numbers: np.array(numbers, np.int64),
        "u": lambda numbers: np.array(numbers, np.uint64 if dtype.itemsize >= 4 else np.int64),
    }
    return wide.get(dtype.kind, lambda numbers: np.array(numbers, dtype))(values).astype(dtype)
