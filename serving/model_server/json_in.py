"""From the body of a REST request to the inputs of a signature."""

import base64
import binascii
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from serving.model_server.json_parser import JsonError, parse_json
from serving.model_server.json_writer import shown_json
from serving.model_server.saved_model import Arrays
from serving.model_server.serving_error import ServingError, invalid
from serving.model_server.tensors import MAX_RANK, dtype_name

_FLOATS = (types_pb2.DT_FLOAT, types_pb2.DT_DOUBLE)
# What the parser calls an integer of a type: small ones are checked as 32 bits, and then cut.
_INTEGERS = {
    types_pb2.DT_INT8: (-(2**31), 2**31),
    types_pb2.DT_INT16: (-(2**31), 2**31),
    types_pb2.DT_INT32: (-(2**31), 2**31),
    types_pb2.DT_UINT8: (-(2**31), 2**31),
    types_pb2.DT_INT64: (-(2**63), 2**63),
    types_pb2.DT_UINT32: (0, 2**32),
    types_pb2.DT_UINT64: (0, 2**64),
}
_SCALARS = (*_FLOATS, *_INTEGERS, types_pb2.DT_BOOL, types_pb2.DT_STRING)

Infos = Mapping[str, meta_graph_pb2.TensorInfo]


@dataclass(frozen=True)
class JsonRequest:
    """A parsed body of which the tensors are still to be read, for that takes a signature.

    Attributes:
        members: the body's members.
        signature_name: empty: the default one.
    """

    members: Mapping[str, Any]
    signature_name: str

    @property
    def is_row(self) -> bool:
        """Whether the answer goes by rows."""
        return "instances" in self.members

    def inputs(self, infos: Infos) -> Arrays:
        """The inputs, of the types that the signature names and of the shapes that the body has.

        Args:
            infos: the signature's inputs by name.
        Raises:
            ServingError: if the body does not fit.
        """
        if not infos:
            name = self.signature_name or "DEFAULT"
            raise invalid(f"Failed to get input map for signature: {name}")
        if "instances" in self.members and "inputs" in self.members:
            raise _format_error(
                self.members,
                "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ",
            )
        if "instances" in self.members:
            return _rows(self.members, infos)
        if "inputs" in self.members:
            return _columns(self.members["inputs"], infos)
        raise invalid("Missing 'inputs' or 'instances' key")


def parse_request(body: bytes) -> JsonRequest:
    """Parses a body, before the model is even looked up.

    Raises:
        ServingError: if it is no JSON object, or its `signature_name` is no string.
    """
    try:
        members = parse_json(body)
    except JsonError as error:
        raise invalid(f"JSON Parse error: {error}") from error
    if not isinstance(members, dict):
        raise _format_error(members, "Is not object")
    signature_name = members.get("signature_name", "")
    if not isinstance(signature_name, str):
        raise _format_error(members, "not formatted correctly. 'signature_name' key must be a string value.")
    return JsonRequest(members, signature_name)


def _rows(members: Mapping[str, Any], infos: Infos) -> Arrays:
    instances = members["instances"]
    if not isinstance(instances, list):
        raise _format_error(members, "Excepting 'instances' to be an list/array")
    if not instances:
        raise _format_error(members, "No values in 'instances' array")
    if not isinstance(instances[0], dict) and len(infos) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple "
            "input tensors required as per tensorinfo_map"
        )
    if _is_object(instances[0]):
        return _named_rows(instances, infos)
    (name,) = list(infos)[:1]
    rows = _Rows(name, infos[name].dtype)
    for place, instance in enumerate(instances):
        if _is_object(instance):
            raise invalid(f"Expecting value/list but got object at item {place} of input list")
        try:
            rows.add(instance)
        except ServingError as error:
            raise _element_error(place, "", error) from error
    return {name: rows.array()}


def _named_rows(instances: list[Any], infos: Infos) -> Arrays:
    rows = {name: _Rows(name, info.dtype) for name, info in infos.items()}
    for place, instance in enumerate(instances):
        if not _is_object(instance):
            raise invalid(f"Expecting object but got list at item {place} of input list")
        for name, value in instance.items():
            try:
                if name not in rows:
                    raise invalid(f"JSON object: does not have named input: {name}")
                rows[name].add(value)
            except ServingError as error:
                raise _element_error(place, f"key: {name} ", error) from error
        if instance.keys() != rows.keys():
            raise invalid(
                f"Failed to process element: {place} of 'instances' list. JSON object: {shown_json(instance)} "
                f"must only have keys: {','.join(sorted(rows))}"
            )
    return {name: each.array() for name, each in rows.items()}


class _Rows:
    """The rows of one input, all of one shape."""

    def __init__(self, name: str, dtype: int) -> None:
        self._dtype = dtype
        self._values: list[Any] = []
        self._shape: list[int] | None = None
        self._name = name
        self._count = 0

    def add(self, value: Any) -> None:
        shape = _shape(value)
        before = len(self._values)
        _fill(value, shape, self._dtype, self._values)
        if self._shape is None:
            self._shape = shape
        elif len(self._values) - before != math.prod(self._shape):
            raise invalid(
                f"Expecting tensor size: {math.prod(self._shape)} but got: {len(self._values) - before}"
            )
        elif shape != self._shape:
            raise invalid(f"Expecting shape {_shown_shape(self._shape)} but got: {_shown_shape(shape)}")
        self._count += 1

    def array(self) -> np.ndarray:
        return _array(self._name, self._values, self._dtype, [self._count, *(self._shape or [])])


def _columns(value: Any, infos: Infos) -> Arrays:
    if _is_object(value):
        missing = next((name for name in sorted(infos) if name not in value), None)
        if missing is not None:
            raise invalid(f"Missing named input: {missing} in 'inputs' object.")
        return {name: _tensor(name, value[name], info.dtype) for name, info in infos.items()}
    if len(infos) > 1:
        raise invalid(
            "inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
            "tensorinfo_map"
        )
    (name,) = infos
    return {name: _tensor(name, value, infos[name].dtype)}


def _tensor(name: str, value: Any, dtype: int) -> np.ndarray:
    shape = _shape(value)
    values: list[Any] = []
    _fill(value, shape, dtype, values)
    return _array(name, values, dtype, shape)


def _shape(value: Any) -> list[int]:
    """The lengths of a list, of its first element, and so on."""
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return shape


def _fill(value: Any, shape: list[int], dtype: int, values: list[Any]) -> None:
    """Appends the leaves of nested lists, which have to be as long and as deep as `shape` says."""
    iterators = [iter([value])]
    while iterators:
        item = next(iterators[-1], _END)
        level = len(iterators) - 1
        if item is _END:
            iterators.pop()
        elif isinstance(item, list):
            if level >= len(shape):
                raise invalid(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
            if len(item) != shape[level]:
                raise invalid(
                    f"Encountered list at unexpected size: {len(item)} at level: {level} "
                    f"expected size: {shape[level]}"
                )
            iterators.append(iter(item))
        elif level != len(shape):
            raise invalid(
                f"JSON Value: {shown_json(item)} found at incorrect level: {level + 1} in the JSON DOM. "
                f"Expected at level: {len(shape)}"
            )
        else:
            values.append(_leaf(item, dtype))


_END = object()


def _leaf(value: Any, dtype: int) -> Any:
    if isinstance(value, dict):
        return _base64(value, dtype)
    if dtype not in _SCALARS:
        raise ServingError(
            grpc.StatusCode.UNIMPLEMENTED,
            f"Conversion of JSON Value: {shown_json(value)} to type: {dtype_name(dtype)}",
        )
    if dtype == types_pb2.DT_STRING and isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if dtype == types_pb2.DT_BOOL and isinstance(value, bool):
        return value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and dtype in _FLOATS:
        return value
    if is_number and isinstance(value, int) and dtype in _INTEGERS:
        low, high = _INTEGERS[dtype]
        if low <= value < high:
            return value
    raise _type_error(value, dtype)


def _base64(value: dict[str, Any], dtype: int) -> bytes:
    if dtype != types_pb2.DT_STRING:
        raise _type_error(value, dtype)
    if not _is_base64(value):
        raise _format_error(value, "not formatted correctly for base64 data")
    try:
        return _decoded(value["b64"])
    except (binascii.Error, ValueError) as error:
        raise invalid("Unable to base64 decode") from error


def _decoded(text: str) -> bytes:
    """Blanks are skipped, and padding may be absent, but not half there."""
    data = "".join(text.split()).encode("ascii")
    bare = data.rstrip(b"=")
    if len(data) != len(bare) and len(data) % 4:
        raise ValueError("wrong padding")
    return base64.b64decode(bare + b"=" * (-len(bare) % 4), validate=True)


def _array(name: str, values: list[Any], dtype: int, shape: list[int]) -> np.ndarray:
    if len(shape) > MAX_RANK:
        raise invalid(f"tensor parsing error: {name}")
    if dtype == types_pb2.DT_STRING:
        strings = np.empty(len(values), object)
        strings[:] = values
        return strings.reshape(shape)
    numpy_dtype = np.dtype(tf.as_dtype(dtype).as_numpy_dtype)
    wide = np.dtype(np.float64) if dtype in _FLOATS else numpy_dtype
    if dtype in _INTEGERS and numpy_dtype.itemsize < 4:
        wide = np.dtype(np.int32)
    # A double that no float holds is infinite; an integer that is too large for a small type is cut.
    with np.errstate(over="ignore", under="ignore"):
        return np.array(values, wide).astype(numpy_dtype).reshape(shape)


def _is_base64(value: dict[str, Any]) -> bool:
    return len(value) == 1 and isinstance(value.get("b64"), str)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and not _is_base64(value)


def _shown_shape(shape: list[int]) -> str:
    return f"[{','.join(map(str, shape))}]"


def _element_error(place: int, key: str, error: ServingError) -> ServingError:
    return invalid(
        f"Failed to process element: {place} {key}of 'instances' list. Error: {error.code.name}: {error.message}"
    )


def _format_error(value: Any, problem: str) -> ServingError:
    return invalid(f"JSON Value: {shown_json(value)} {problem}")


def _type_error(value: Any, dtype: int) -> ServingError:
    return invalid(
        f"JSON Value: {shown_json(value)} Type: {_type_name(value)} is not of expected type: {dtype_name(dtype)}"
    )


def _type_name(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "Null", False: "False", True: "True"}[value]
    names: dict[type, str] = {dict: "Object", list: "Array", str: "String"}
    return names.get(type(value), "Number")
