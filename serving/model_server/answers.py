"""What the services answer, as messages; gRPC sends them as they are, REST as JSON."""

import grpc
from google.protobuf import any_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    predict_pb2,
)

from serving.model_server.model_manager import ModelManager
from serving.model_server.predict import DEFAULT_SIGNATURE, check_names, find_signature, predict
from serving.model_server.saved_model import Arrays
from serving.model_server.serving_error import ServingError, invalid
from serving.model_server.tensors import from_proto, to_proto

SIGNATURE_DEF = "signature_def"


def answer_predict(manager: ModelManager, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
    """Runs a signature of the model that the request names.

    Raises:
        ServingError: if there is no such version or signature, or the inputs do not fit.
    """
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec")
    spec = request.model_spec
    with manager.borrow(spec) as (version, servable):
        check_names(find_signature(servable, spec.signature_name), request.inputs)
        inputs = {name: from_proto(name, proto) for name, proto in request.inputs.items()}
        outputs = predict(servable, spec.signature_name, inputs, request.output_filter)
    return _predict_response(spec, version, outputs)


def answer_metadata(
    manager: ModelManager, request: get_model_metadata_pb2.GetModelMetadataRequest
) -> get_model_metadata_pb2.GetModelMetadataResponse:
    """The signatures of a version."""
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec")
    if not request.metadata_field:
        raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
    for field in request.metadata_field:
        if field != SIGNATURE_DEF:
            raise invalid(f"Metadata field {field} is not supported")
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    with manager.borrow(request.model_spec) as (version, servable):
        for name, signature in servable.signatures.items():
            signatures.signature_def[name].CopyFrom(signature)
    response.model_spec.name = request.model_spec.name
    response.model_spec.version.value = version
    packed = any_pb2.Any()
    packed.Pack(signatures)
    response.metadata[SIGNATURE_DEF].CopyFrom(packed)
    return response


def answer_status(
    manager: ModelManager, request: get_model_status_pb2.GetModelStatusRequest
) -> get_model_status_pb2.GetModelStatusResponse:
    """The states of a model's versions, newest first, or of the one that is named; labels say nothing here."""
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec")
    spec = request.model_spec
    states = manager.states(spec.name)
    if spec.HasField("version"):
        number = spec.version.value
        states = [state for state in states if state[0] == number]
        if not states:
            raise ServingError(
                grpc.StatusCode.NOT_FOUND, f"Could not find version {number} of model {spec.name}"
            )
    if not states:
        raise ServingError(grpc.StatusCode.NOT_FOUND, f"Could not find any versions of model {spec.name}")
    response = get_model_status_pb2.GetModelStatusResponse()
    for number, state, error in states:
        status = response.model_version_status.add(version=number, state=state.value)
        status.status.error_code = 0 if error is None else error.code.value[0]
        status.status.error_message = "" if error is None else error.message
    return response


def _predict_response(
    spec: model_pb2.ModelSpec, version: int, outputs: Arrays
) -> predict_pb2.PredictResponse:
    response = predict_pb2.PredictResponse()
    response.model_spec.name = spec.name
    response.model_spec.signature_name = spec.signature_name or DEFAULT_SIGNATURE
    response.model_spec.version.value = version
    for name, array in outputs.items():
        response.outputs[name].CopyFrom(to_proto(array))
    return response
