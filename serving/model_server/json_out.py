"""From the outputs of a signature to the body of a REST answer."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from serving.model_server.answers import SIGNATURE_DEF
from serving.model_server.json_writer import INDENT, json_bytes_object, json_float, json_string
from serving.model_server.saved_model import Arrays
from serving.model_server.serving_error import invalid
from serving.model_server.tensors import dtype_name

Write = Callable[[Any], str]


def predictions_json(outputs: Arrays, is_row: bool) -> bytes:
    """The answer to a request by rows or by columns.

    Args:
        outputs: arrays by name; of names that end in `_bytes` strings are base64.
        is_row: whether the request went by rows.
    Raises:
        ServingError: INVALID_ARGUMENT, if the outputs are no rows, or of a type that JSON has no word for.
    """
    if not outputs:
        raise invalid("Cannot convert empty tensor map to JSON")
    pieces = _row_pieces(outputs) if is_row else _column_pieces(outputs)
    return "".join(pieces).encode("utf-8", "surrogateescape")


def status_json(response: get_model_status_pb2.GetModelStatusResponse) -> bytes:
    """The states of versions."""
    text = json_format.MessageToJson(
        response, always_print_fields_with_no_presence=True, preserving_proto_field_name=True, indent=1
    )
    return f"{text}\n".encode()


def metadata_json(response: get_model_metadata_pb2.GetModelMetadataResponse) -> bytes:
    """The signatures of a version."""
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata[SIGNATURE_DEF].Unpack(signatures)
    spec, shown = (
        json_format.MessageToJson(
            message, always_print_fields_with_no_presence=True, preserving_proto_field_name=True, indent=1
        )
        for message in (response.model_spec, signatures)
    )
    return f'{{\n"model_spec":{spec},\n"metadata": {{"signature_def": {shown}}}\n}}\n'.encode()


def _row_pieces(outputs: Arrays) -> Iterator[str]:
    count = _batch_size(outputs)
    writers = {name: _writer(name, array) for name, array in outputs.items()}
    is_bare = len(outputs) == 1
    yield f'{{\n{INDENT}"predictions": ['
    for row in range(count):
        cells = {name: "".join(_compact(array[row], writers[name])) for name, array in outputs.items()}
        if is_bare:
            yield (", " if row else "") + next(iter(cells.values()))
        else:
            members = (f"\n{INDENT * 3}{json_string(name)}: {cell}" for name, cell in cells.items())
            yield f"{',' if row else ''}\n{INDENT * 2}{{{','.join(members)}\n{INDENT * 2}}}"
    yield f"\n{INDENT}]\n}}"


def _column_pieces(outputs: Arrays) -> Iterator[str]:
    if len(outputs) == 1:
        ((name, array),) = outputs.items()
        yield f'{{\n{INDENT}"outputs": '
        yield from _pretty(array, _writer(name, array), INDENT)
    else:
        yield f'{{\n{INDENT}"outputs": {{'
        for place, (name, array) in enumerate(outputs.items()):
            yield f"{',' if place else ''}\n{INDENT * 2}{json_string(name)}: "
            yield from _pretty(array, _writer(name, array), INDENT * 2)
        yield f"\n{INDENT}}}"
    yield "\n}"


def _batch_size(outputs: Arrays) -> int:
    size = 0
    for name, array in outputs.items():
        if array.ndim == 0:
            raise invalid(f"Tensor name: {name} has no shape information ")
        if len(array) < 1:
            raise invalid(f"Tensor name: {name} has invalid batch size: {len(array)}")
        if size not in (0, len(array)):
            raise invalid(f"Tensor name: {name} has inconsistent batch size: {len(array)} expecting: {size}")
        size = len(array)
    return size


def _compact(array: Any, write: Write) -> Iterator[str]:
    """A tensor on one line."""
    if np.ndim(array) == 0:
        yield write(array)
        return
    yield "["
    for place, item in enumerate(array):
        yield ", " if place else ""
        yield from _compact(item, write)
    yield "]"


def _pretty(array: Any, write: Write, indent: str) -> Iterator[str]:
    """A tensor with a line for each value."""
    if np.ndim(array) == 0:
        yield write(array[()] if isinstance(array, np.ndarray) else array)
        return
    yield "["
    for place, item in enumerate(array):
        yield f"{',' if place else ''}\n{indent}{INDENT}"
        yield from _pretty(item, write, indent + INDENT)
    yield f"\n{indent}]" if len(array) else "]"


def _writer(name: str, array: np.ndarray) -> Write:
    """What writes one value of a tensor."""
    dtype = array.dtype
    if dtype == object:
        return json_bytes_object if name.endswith("_bytes") else _text
    if dtype in (np.float32, np.float64):
        return json_float
    if dtype == np.bool_:
        return lambda value: "true" if value else "false"
    if dtype.kind in "iu" and dtype != np.uint16:
        return str
    raise invalid(
        f"Failed to write JSON value for tensor type: {dtype_name(tf.as_dtype(dtype).as_datatype_enum)}"
    )


def _text(value: bytes) -> str:
    return json_string(value.decode("utf-8", "surrogateescape"))
