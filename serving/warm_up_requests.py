"""Requests that a model server answers before a version is available, so that the first real one is quick."""

from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2

WARM_UP_FILE = "assets.extra/tf_serving_warmup_requests"

NUM_BEHAVIORS = 50
# Rows of the requests of a signature: those of the candidates or items that serving names in one.
SCORED, REORDERED, ENCODED = (200,), (500,), (1, 32)
NUM_NEW = 8
PICTURE_SIZE = (240, 320)

Inputs = Mapping[str, meta_graph_pb2.TensorInfo]


def write_warm_up_requests(directory: str) -> int:
    """Puts warm-up requests into a SavedModel's folder, for each signature that serving calls.

    A model server runs them before a version is available. The first run of a signature plans its graph, which takes
    a hundred times as long as the second; the sizes are those of real requests, the values are made up.

    Args:
        directory: of the SavedModel of an encoder, a model of clicks or one of recall.
    Returns:
        How many requests there are.
    """
    requests = [
        (name, inputs) for name, signature in _signatures(directory) for inputs in _requests(name, signature)
    ]
    path = f"{directory}/{WARM_UP_FILE}"
    tf.io.gfile.makedirs(path.rsplit("/", 1)[0])
    with tf.io.TFRecordWriter(path) as writer:
        for name, inputs in requests:
            writer.write(_log(name, inputs).SerializeToString())
    return len(requests)


def _signatures(directory: str) -> Iterator[tuple[str, Inputs]]:
    with tf.io.gfile.GFile(f"{directory}/saved_model.pb", "rb") as stream:
        model = saved_model_pb2.SavedModel.FromString(stream.read())
    for name, signature in sorted(model.meta_graphs[0].signature_def.items()):
        yield name, signature.inputs


def _requests(signature: str, inputs: Inputs) -> Iterator[dict[str, np.ndarray]]:
    """The inputs of each request for a signature; none for one that serving does not call."""
    if "image_bytes" in inputs:
        yield from ({"image_bytes": np.array([_picture()] * rows)} for rows in ENCODED)
    elif "text" in inputs:
        yield from ({"text": _titles(rows)} for rows in ENCODED)
    elif signature == "score_candidates":
        yield from (_columns(inputs, rows) for rows in SCORED)
    elif signature == "item_vectors":
        yield from (_columns(inputs, rows) for rows in ENCODED)
    elif "behavior_item_id" in inputs:
        # Users and what is reordered for them; with new embeddings the graph takes another branch.
        for rows in REORDERED if signature == "reorder" else (1,):
            yield from (_columns(inputs, rows, new) for new in (0, NUM_NEW))


def _columns(inputs: Inputs, rows: int, new: int = 0) -> dict[str, np.ndarray]:
    """Values of all raw columns, scores and embeddings.

    Args:
        inputs: of the signature.
        rows: candidates, items or users.
        new: items whose embeddings the request brings.
    """
    random = np.random.default_rng(1)

    def size(name: str) -> tuple[int, int]:
        if name.startswith("behavior_"):
            return 1, NUM_BEHAVIORS
        return (new if name.startswith("new_") else rows), 1

    columns = {}
    for name, info in sorted(inputs.items()):
        dims = [dim.size for dim in info.tensor_shape.dim]
        shape = [size(name)[place] if dim < 0 else dim for place, dim in enumerate(dims)]
        columns[name] = _values(tf.dtypes.as_dtype(info.dtype), shape, random)
    return columns


def _values(dtype: tf.DType, shape: list[int], random: np.random.Generator) -> np.ndarray:
    if dtype == tf.string:
        count = int(np.prod(shape))
        return np.array([b"warm-up %d" % place for place in range(count)], object).reshape(shape)
    values = random.standard_normal(shape)
    if len(shape) > 1:
        values /= np.maximum(np.linalg.norm(values, axis=-1, keepdims=True), 1e-6)
    return values.astype(dtype.as_numpy_dtype)


def _titles(rows: int) -> np.ndarray:
    return np.array([b"warm-up of a title with a few words, number %d" % row for row in range(rows)], object)


def _picture() -> bytes:
    """A JPEG file of two smooth colors and some noise."""
    height, width = PICTURE_SIZE
    slope = np.linspace(0, 200, width)[None, :, None] * np.array([1.0, 0.5, 0.0])
    noise = np.random.default_rng(1).integers(0, 40, (height, width, 3))
    return tf.io.encode_jpeg((slope + noise).astype(np.uint8)).numpy()


def _log(signature: str, inputs: Mapping[str, np.ndarray]) -> prediction_log_pb2.PredictionLog:
    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.signature_name = signature
    for name, values in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
    return log
