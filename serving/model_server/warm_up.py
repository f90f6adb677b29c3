"""Requests that a version answers before it is available."""

from pathlib import Path

import grpc
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import prediction_log_pb2

from serving.model_server.predict import Runner, predict
from serving.model_server.serving_error import ServingError, invalid
from serving.model_server.tensors import from_proto

WARM_UP_FILE = Path("assets.extra") / "tf_serving_warmup_requests"
MAX_RECORDS = 1000


def warm_up(servable: Runner, path: Path) -> int:
    """Runs the recorded requests of a version, if it has any, so that the first real one is no slower than others.

    Args:
        servable: the loaded model.
        path: the version's folder; `assets.extra/tf_serving_warmup_requests` in it is a TFRecord of PredictionLog.
    Returns:
        How many requests there were.
    Raises:
        ServingError: if there are more than 1,000, or one fails: then the version is not fit to serve.
    """
    file = path / WARM_UP_FILE
    if not file.is_file():
        return 0
    count = 0
    try:
        for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
            count += 1
            if count > MAX_RECORDS:
                raise invalid(f"Number of warmup records exceeds the maximum ({MAX_RECORDS}) at {file}")
            _replay(servable, record)
    except tf.errors.OpError as error:
        raise ServingError.from_tensorflow(error) from error
    except DecodeError as error:
        raise ServingError(
            grpc.StatusCode.DATA_LOSS, f"warm-up record {count} of {file} is no PredictionLog"
        ) from error
    return count


def _replay(servable: Runner, record: bytes) -> None:
    log = prediction_log_pb2.PredictionLog.FromString(record)
    kind = log.WhichOneof("log_type")
    if kind != "predict_log":
        raise ServingError(
            grpc.StatusCode.UNIMPLEMENTED,
            f"warm-up records of kind {kind} are not supported, only predict_log",
        )
    request = log.predict_log.request
    inputs = {name: from_proto(name, proto) for name, proto in request.inputs.items()}
    predict(servable, request.model_spec.signature_name, inputs, request.output_filter)
