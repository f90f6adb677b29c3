"""Warm-up requests, answered by the model server as it loads a version."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from serving.model_server.saved_model import SavedModel
from serving.model_server.warm_up import warm_up
from serving.warm_up_requests import WARM_UP_FILE, write_warm_up_requests

sys.path.append(str(Path(__file__).resolve().parents[2] / "support"))
from tiny_encoders import save_image_encoder, save_text_encoder


class TwoSided(tf.Module):
    """The inputs of a model of clicks and of recall; sums of what it is given."""

    def signatures(self) -> dict[str, Any]:
        def spec(dtype: tf.DType, name: str, *shape: int | None) -> tf.TensorSpec:
            return tf.TensorSpec(shape, dtype, name)

        user = [
            spec(tf.string, "user_id", 1),
            spec(tf.float32, "age", 1),
            spec(tf.string, "behavior_item_id", 1, None),
        ]
        candidates = [spec(tf.string, "item_id", None), spec(tf.float32, "image_embedding", None, 3)]
        behaviors = spec(tf.float32, "behavior_image_embedding", 1, None, 3)
        new = [spec(tf.string, "new_item_id", None), spec(tf.float32, "new_image_embedding", None, 3)]
        users = [spec(tf.string, "user_id", None), spec(tf.string, "behavior_item_id", None, None)]
        chosen = {
            "score_candidates": [*user, *candidates, behaviors],
            "serving_default": [*users, *new],
            "item_vectors": [*candidates, spec(tf.int64, "price", None)],
            "reorder": [user[2], candidates[0], spec(tf.float32, "score", None), *new],
            "for_others": [spec(tf.string, "examples", None)],
        }
        return {
            name: tf.function(self._count).get_concrete_function(**{each.name: each for each in specs})
            for name, specs in chosen.items()
        }

    def _count(self, **columns: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"sizes": tf.add_n([tf.size(column) for column in columns.values()])}


def read(folder: Path) -> list[tuple[str, dict[str, np.ndarray]]]:
    """Signature and inputs of each request."""
    requests = []
    for record in tf.data.TFRecordDataset(str(folder / WARM_UP_FILE)).as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        inputs = {name: tf.make_ndarray(proto) for name, proto in request.inputs.items()}
        requests.append((request.model_spec.signature_name, inputs))
    return requests


def test_each_signature_that_serving_calls_gets_requests_of_real_sizes(tmp_path: Path) -> None:
    module = TwoSided()
    tf.saved_model.save(module, str(tmp_path), signatures=module.signatures())
    assert write_warm_up_requests(str(tmp_path)) == 7
    requests = read(tmp_path)
    shapes = [(name, {key: value.shape for key, value in inputs.items()}) for name, inputs in requests]
    items = [{"item_id": (n,), "image_embedding": (n, 3), "price": (n,)} for n in (1, 32)]
    new = [{"new_item_id": (n,), "new_image_embedding": (n, 3)} for n in (0, 8)]
    reordered = {"behavior_item_id": (1, 50), "item_id": (500,), "score": (500,)}
    user = {"user_id": (1,), "behavior_item_id": (1, 50)}
    scored = {
        "item_id": (200,),
        "image_embedding": (200, 3),
        "behavior_image_embedding": (1, 50, 3),
        "age": (1,),
    }
    assert shapes == [
        *(("item_vectors", each) for each in items),
        *(("reorder", reordered | each) for each in new),
        ("score_candidates", user | scored),
        *(("serving_default", user | each) for each in new),
    ]
    # Embeddings as an encoder gives them, of length 1, and no item twice.
    inputs = requests[4][1]
    np.testing.assert_allclose(np.linalg.norm(inputs["image_embedding"], axis=1), 1, atol=1e-6)
    assert len(set(inputs["item_id"].tolist())) == 200 and inputs["item_id"].dtype == object
    assert inputs["image_embedding"].dtype == np.float32 and requests[0][1]["price"].dtype == np.int64


def test_a_server_answers_them(tmp_path: Path) -> None:
    module = TwoSided()
    tf.saved_model.save(module, str(tmp_path), signatures=module.signatures())
    write_warm_up_requests(str(tmp_path))
    model = SavedModel(tmp_path)
    assert warm_up(model, tmp_path) == 7
    model.close()


def test_encoders_get_a_picture_and_titles(tmp_path: Path) -> None:
    saved = {
        "image_bytes": save_image_encoder(tmp_path / "image"),
        "text": save_text_encoder(tmp_path / "text"),
    }
    for name, uri in saved.items():
        folder = Path(uri) / "Format-Serving"
        assert write_warm_up_requests(str(folder)) == 2
        assert [inputs[name].shape for _, inputs in read(folder)] == [(1,), (32,)]
        model = SavedModel(folder)
        # They are decoded: a server refuses a version whose warm-up fails.
        assert warm_up(model, folder) == 2
        model.close()


def test_they_are_written_again_over_older_ones(tmp_path: Path) -> None:
    folder = Path(save_text_encoder(tmp_path)) / "Format-Serving"
    assert [write_warm_up_requests(str(folder)) for _ in range(2)] == [2, 2]
    assert len(read(folder)) == 2
