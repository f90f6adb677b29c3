"""Arrays and lists of bytes as the messages of the model server's gRPC."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, types_pb2


class Strings:
    """A tensor of strings.

    Args:
        values: in the order of the flat tensor.
        shape: its shape; None: `[values]`.
    """

    def __init__(self, values: Sequence[bytes], shape: tuple[int, ...] | None = None) -> None:
        self.values = values
        self.shape = (len(values),) if shape is None else shape


Tensor: TypeAlias = np.ndarray | Strings


def fill_message(message: tensor_pb2.TensorProto, tensor: Tensor) -> None:
    """Writes a tensor into an empty message.

    Numbers are copied as they lie in memory; `tf.make_tensor_proto` takes ten times as long for strings.
    """
    for size in tensor.shape:
        message.tensor_shape.dim.add(size=size)
    if isinstance(tensor, Strings):
        message.dtype = types_pb2.DT_STRING
        message.string_val.extend(tensor.values)
    else:
        message.dtype = tf.as_dtype(tensor.dtype).as_datatype_enum
        message.tensor_content = tensor.tobytes()
