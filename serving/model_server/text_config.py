"""Configuration files in protobuf's text format, of messages that tensorflow-serving-api has and of those it lacks."""

from pathlib import Path
from typing import TypeVar

from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message,
    message_factory,
    text_format,
    wrappers_pb2,
)
from google.protobuf.descriptor_pb2 import FieldDescriptorProto

from transforms.input_error import InputError

Message = TypeVar("Message", bound=message.Message)

MAX_BYTES = 1 << 20
_INTEGER, _TEXT = ".google.protobuf.Int64Value", ".google.protobuf.StringValue"
_OPTIONAL, _REPEATED = FieldDescriptorProto.LABEL_OPTIONAL, FieldDescriptorProto.LABEL_REPEATED


def read_text_config(path: Path, into: Message) -> Message:
    """Reads a file into a message.

    Raises:
        InputError: if the file cannot be read, or is not of the message's fields.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise InputError(f"{path}: expected at most {MAX_BYTES} bytes")
        return text_format.Parse(data.decode(), into)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    except text_format.ParseError as error:
        raise InputError(f"{path}: expected a {into.DESCRIPTOR.name} in text format: {error}") from error


def _messages() -> descriptor_pool.DescriptorPool:
    """TF Serving's messages that its Python package leaves out, in a pool of their own."""
    file = descriptor_pb2.FileDescriptorProto(
        name="adlens/text_config.proto", package="tensorflow.serving", syntax="proto3"
    )
    file.dependency.append(wrappers_pb2.DESCRIPTOR.name)
    batching = file.message_type.add(name="BatchingParameters")
    names = ("max_batch_size", "batch_timeout_micros", "max_enqueued_batches", "num_batch_threads")
    for number, name in enumerate(names, 1):
        _add(batching, name, number, FieldDescriptorProto.TYPE_MESSAGE, _INTEGER)
    _add(batching, "thread_pool_name", 5, FieldDescriptorProto.TYPE_MESSAGE, _TEXT)
    _add(batching, "allowed_batch_sizes", 6, FieldDescriptorProto.TYPE_INT64, label=_REPEATED)
    _add(batching, "pad_variable_length_inputs", 7, FieldDescriptorProto.TYPE_BOOL)
    prometheus = file.message_type.add(name="PrometheusConfig")
    _add(prometheus, "enable", 1, FieldDescriptorProto.TYPE_BOOL)
    _add(prometheus, "path", 2, FieldDescriptorProto.TYPE_STRING)
    monitoring = file.message_type.add(name="MonitoringConfig")
    _add(
        monitoring,
        "prometheus_config",
        1,
        FieldDescriptorProto.TYPE_MESSAGE,
        ".tensorflow.serving.PrometheusConfig",
    )
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return pool


def _add(
    to: descriptor_pb2.DescriptorProto,
    name: str,
    number: int,
    kind: "FieldDescriptorProto.Type.ValueType",
    type_name: str | None = None,
    label: "FieldDescriptorProto.Label.ValueType" = _OPTIONAL,
) -> None:
    to.field.add(name=name, number=number, type=kind, type_name=type_name, label=label)


def new_message(name: str) -> message.Message:
    """An empty BatchingParameters or MonitoringConfig."""
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"tensorflow.serving.{name}"))()


_POOL = _messages()
