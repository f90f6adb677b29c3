"""Training: it learns, in the order of the data, reproducibly, and stops at a loss that is not finite."""

import numpy as np
import pytest
import tensorflow as tf

from models.ctr.config import CtrConfig
from models.ctr.dataset import read_examples
from models.ctr.model import CtrModel
from models.ctr.trainer import train
from models.metrics.auc import auc
from transforms.feature import ID_FEATURES
from transforms.input_error import InputError

SIZES = {"user_id": 30, "item_id": 40, "category_id": 4, "shop_id": 4}
CONFIG = CtrConfig(embedding_dim=4, attention_units=(8,), mlp_units=(16,), batch_size=64, learning_rate=0.01)


def clicks(rows: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Items of even number are always clicked, the others never."""
    rng = np.random.default_rng(0)
    features = {f"{name}_xf": rng.integers(1, size, rows) for name, size in SIZES.items()}
    for name in ("item_id", "category_id", "shop_id"):
        features[f"behavior_{name}_xf"] = rng.integers(0, SIZES[name], (rows, 5))
    return features, (features["item_id_xf"] % 2 == 0).astype(np.float32)


def batches(data, size: int = 64) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices(data).batch(size)


def test_learns_what_only_ids_say():
    features, labels = clicks(4096)
    model = CtrModel(ID_FEATURES, SIZES, CONFIG)
    history = train(model, batches((features, labels)), CONFIG, batches((features, labels)))
    assert history["examples"] == 4096
    assert history["curve"][-1]["loss"] < history["curve"][0]["loss"]
    assert history["curve"][-1]["examples"] == 4096
    scores = model.predict(features, verbose=0)
    assert auc(labels, scores) > 0.95
    assert history["eval"]["auc"] == pytest.approx(auc(labels, scores), abs=1e-6)


def test_equal_seeds_give_equal_training():
    def weights() -> list[np.ndarray]:
        model = CtrModel(ID_FEATURES, SIZES, CONFIG)
        train(model, batches(clicks(512)), CONFIG)
        return model.get_weights()

    for left, right in zip(weights(), weights(), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-7)


def test_a_loss_that_is_not_finite_stops_with_an_error():
    features, labels = clicks(256)
    labels[200] = np.nan
    with pytest.raises(InputError, match=r"finite.*step 4"):
        train(CtrModel(ID_FEATURES, SIZES, CONFIG), batches((features, labels)), CONFIG)


def write_records(path, numbers) -> None:
    with tf.io.TFRecordWriter(str(path)) as writer:
        for number in numbers:
            feature = {
                "x": tf.train.Feature(int64_list=tf.train.Int64List(value=[number])),
                "clicked": tf.train.Feature(int64_list=tf.train.Int64List(value=[number % 2])),
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())


def test_examples_come_in_the_order_of_files_and_rows(tmp_path):
    write_records(tmp_path / "examples-00001-of-00002", [5, 4, 9])
    write_records(tmp_path / "examples-00000-of-00002", [7, 1])
    spec = {name: tf.io.FixedLenFeature([], tf.int64) for name in ("x", "clicked")}
    read = list(read_examples(str(tmp_path / "*"), spec, "clicked", 2))
    assert [features["x"].numpy().tolist() for features, _ in read] == [[7, 1], [5, 4], [9]]
    assert [label.numpy().tolist() for _, label in read] == [[1.0, 1.0], [1.0, 0.0], [1.0]]


def test_no_files_is_an_error(tmp_path):
    with pytest.raises(InputError, match="no file"):
        read_examples(str(tmp_path / "*"), {}, "clicked", 2)
