"""What predicting is, whatever the transport: which tensors a request feeds and fetches, and what is wrong with it."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from serving.model_server.saved_model import Arrays
from serving.model_server.serving_error import ServingError, invalid
from serving.model_server.tensors import dtype_name

DEFAULT_SIGNATURE = "serving_default"


class Runner(Protocol):
    """What runs tensors by name: a `SavedModel`, or a `Batcher` before it."""

    @property
    def signatures(self) -> Mapping[str, meta_graph_pb2.SignatureDef]: ...

    def run(self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str]) -> list[np.ndarray]: ...


def predict(runner: Runner, signature_name: str, inputs: Arrays, output_filter: Sequence[str]) -> Arrays:
    """Runs a signature.

    Args:
        runner: the model.
        signature_name: empty: the default one.
        inputs: arrays by name of input; no type is cast and no shape is checked before an operation does.
        output_filter: the outputs to compute; empty: all.
    Returns:
        Arrays by name of output.
    Raises:
        ServingError: if the request does not fit the signature, or an operation fails.
    """
    signature = find_signature(runner, signature_name)
    check_names(signature, inputs)
    feeds = {signature.inputs[name].name: inputs[name] for name in sorted(inputs)}
    _check_dtypes(signature, inputs)
    outputs = _wanted_outputs(signature, output_filter)
    results = runner.run(feeds, [signature.outputs[name].name for name in outputs])
    return dict(zip(outputs, results, strict=True))


def find_signature(runner: Runner, signature_name: str) -> meta_graph_pb2.SignatureDef:
    """The signature of this name; the empty name is the default one's."""
    name = signature_name or DEFAULT_SIGNATURE
    if name not in runner.signatures:
        raise ServingError(grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')
    return runner.signatures[name]


def check_names(signature: meta_graph_pb2.SignatureDef, inputs: Collection[str]) -> None:
    """Raises INVALID_ARGUMENT unless the inputs are the signature's, but for those that have a default."""
    sent, wanted = set(inputs), set(signature.inputs)
    # Where as many came as are wanted, a wrong name is what TensorFlow finds when it looks the input up.
    if len(sent) > len(wanted) or (len(sent) < len(wanted) and not signature.defaults):
        raise invalid(
            f"input size does not match signature: {len(sent)}!={len(wanted)} len({_names(sent)}) != "
            f"len({_names(wanted)}). Sent extra: {_names(sent - wanted)}. "
            f"Missing but required: {_names(wanted - sent)}."
        )
    for name in sorted(sent - wanted):
        raise invalid(
            f"input tensor alias not found in signature: {name}. Inputs expected to be in the set {_names(wanted)}."
        )
    for name in sorted(wanted - sent - set(signature.defaults)):
        raise invalid(f"missing required input {name}, which has no default")


def _check_dtypes(signature: meta_graph_pb2.SignatureDef, inputs: Arrays) -> None:
    for place, name in enumerate(sorted(inputs)):
        expected = signature.inputs[name].dtype
        came = inputs[name].dtype
        dtype = types_pb2.DT_STRING if came == object else tf.as_dtype(came).as_datatype_enum
        if dtype != expected:
            raise invalid(
                f"Expects arg[{place}] to be {dtype_name(expected)} but {dtype_name(dtype)} is provided"
            )


def _wanted_outputs(signature: meta_graph_pb2.SignatureDef, output_filter: Sequence[str]) -> list[str]:
    seen: set[str] = set()
    for name in output_filter:
        if name not in signature.outputs:
            raise invalid(
                f"output tensor alias not found in signature: {name} Outputs expected to be in the set "
                f"{_names(set(signature.outputs))}."
            )
        if name in seen:
            raise invalid(f"duplicate output tensor alias: {name}")
        seen.add(name)
    return list(output_filter) or sorted(signature.outputs)


def _names(names: Collection[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"
