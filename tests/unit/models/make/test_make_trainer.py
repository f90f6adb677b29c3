"""MAKE's training alone, and what it reads."""

import math
from pathlib import Path

import keras
import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from models.content.item_index import ItemIndex
from models.make.config import MakeConfig
from models.make.model import MakeModel
from models.make.trainer import read_rows, train_make
from transforms.input_error import InputError

CONFIG = MakeConfig(
    attention_units=(8,), mlp_units=(16, 8), projection_dim=4, epochs=4, learning_rate=0.01, batch_size=64
)
ITEMS, DIM, LENGTH = 40, 6, 5


def _unit_vectors() -> np.ndarray:
    """Of four groups of items which are alike within; row 0 is zeros."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(4, DIM))[np.arange(ITEMS) % 4] + 0.1 * rng.normal(size=(ITEMS, DIM))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[0] = 0
    return vectors.astype(np.float32)


def _model(config: MakeConfig = CONFIG) -> MakeModel:
    model = MakeModel({"image": (ITEMS, DIM)}, config)
    model.embeddings.assign({"image": _unit_vectors()})
    return model


def _clicks(seed: int, impressions: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """A user clicks on items of a group that they have behaved on."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(1, ITEMS, impressions)
    behaviors = np.where(
        np.arange(LENGTH) < rng.integers(0, LENGTH + 1, impressions)[:, None],
        rng.integers(1, ITEMS, (impressions, LENGTH)),
        0,
    )
    labels = ((behaviors % 4 == rows[:, None] % 4) & (behaviors != 0)).any(axis=1)
    return {"image_row": rows, "behavior_image_row": behaviors}, labels.astype(np.float32)


def _dataset(seed: int, impressions: int) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices(_clicks(seed, impressions)).batch(64)


def test_converges_on_what_embeddings_tell() -> None:
    model = _model()
    history = train_make(model, _dataset(1, 3_000), CONFIG, _dataset(2, 1_000))
    assert history["examples"] == 4 * 3_000
    assert history["seconds"] > 0 and history["curve"][-1]["examples"] == 12_000
    epochs = history["epochs"]
    assert [epoch["epoch"] for epoch in epochs] == [1, 2, 3, 4]
    losses = [epoch["loss"] for epoch in epochs]
    assert losses == sorted(losses, reverse=True) and losses[-1] < 0.5 * losses[0]
    assert epochs[-1]["logloss"] < epochs[0]["logloss"]
    assert epochs[-1]["auc"] > 0.97
    np.testing.assert_array_equal(model.embeddings.tables["image"].table, _unit_vectors())


def test_each_epoch_is_measured_on_the_eval_split() -> None:
    model = _model()
    epochs = train_make(model, _dataset(1, 300), CONFIG, _dataset(2, 200))["epochs"]
    # The last epoch's is the trained model's, by the definitions: pairs in order, and the mean of -log p.
    inputs, labels = _clicks(2, 200)
    probabilities = 1 / (1 + np.exp(-np.array(model(inputs), np.float64)))
    clicked, others = probabilities[labels == 1][:, None], probabilities[labels == 0]
    auc = (clicked > others).mean() + (clicked == others).mean() / 2
    assert epochs[-1]["auc"] == pytest.approx(auc, abs=1e-4)
    logloss = -np.log(np.where(labels == 1, probabilities, 1 - probabilities)).mean()
    assert epochs[-1]["logloss"] == pytest.approx(logloss, rel=1e-4)


def test_an_epochs_loss_is_the_mean_over_its_examples() -> None:
    # A learning rate of next to nothing leaves the model as it is; batches of 64, 64 and 22.
    config = MakeConfig(
        attention_units=(8,), mlp_units=(16, 8), projection_dim=4, epochs=1, learning_rate=1e-12
    )
    model, (inputs, labels) = _model(config), _clicks(1, 150)
    probabilities = 1 / (1 + np.exp(-np.array(model(inputs), np.float64)))
    expected = -np.log(np.where(labels == 1, probabilities, 1 - probabilities)).mean()
    [epoch] = train_make(model, _dataset(1, 150), config, _dataset(2, 50))["epochs"]
    assert epoch["loss"] == pytest.approx(expected, rel=1e-4)


def test_the_same_seed_gives_the_same_extractor() -> None:
    runs = []
    for _ in range(2):
        model = _model()
        train_make(model, _dataset(1, 200), CONFIG, _dataset(2, 50))
        runs.append(model.extractor.get_weights())
    assert all(np.array_equal(a, b) for a, b in zip(*runs, strict=True))


def test_an_eval_split_of_one_class_has_no_auc() -> None:
    inputs, _ = _clicks(2, 20)
    of_one = tf.data.Dataset.from_tensor_slices((inputs, np.zeros(20, np.float32))).batch(8)
    epochs = train_make(_model(), _dataset(1, 100), CONFIG, of_one)["epochs"]
    assert [epoch["auc"] for epoch in epochs] == [None] * 4
    assert all(epoch["logloss"] > 0 for epoch in epochs)


def test_calls_callbacks_and_names_a_loss_that_is_not_finite() -> None:
    model, seen = _model(), []
    counting = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))
    train_make(model, _dataset(1, 100), CONFIG, _dataset(2, 50), [counting])
    assert seen == [0, 1, 2, 3]
    kernel, _ = model.extractor.logit.get_weights()
    model.extractor.logit.set_weights([kernel, np.array([math.inf])])
    with pytest.raises(InputError, match="at step 1;"):
        train_make(model, _dataset(1, 100), CONFIG, _dataset(2, 50))


INDEX_ITEMS = {"a": (1, 0), "b": (0, 1), "c": (2, 2)}
# Item, behaviors, clicked. Of an item that no catalog holds, of one of no behavior, and of more than three.
IMPRESSIONS = [
    ("a", ["c", "b"], 1),
    ("nobody", ["a"], 0),
    ("c", [], 1),
    ("b", ["b", "nobody", "a", "c"], 0),
    ("c", ["c"], 1),
]


def _index() -> ItemIndex:
    rows = np.array(list(INDEX_ITEMS.values()), np.int32)
    return ItemIndex(pa.array(INDEX_ITEMS), {"image": rows[:, 0], "text": rows[:, 1]}, max_behaviors=3)


def _write(path: Path, impressions: list[tuple[str, list[str], int]], compression: str) -> None:
    def strings(values: list[str]) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode() for value in values]))

    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path), compression) as writer:
        for item, behaviors, clicked in impressions:
            features = {
                "item_id": strings([item]),
                "behavior_item_id": strings(behaviors),
                "user_id": strings(["of no use here"]),
                "clicked": tf.train.Feature(int64_list=tf.train.Int64List(value=[clicked])),
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())


@pytest.mark.parametrize("compression, suffix", [("", ""), ("GZIP", ".gz")])
def test_reads_rows_in_order(tmp_path: Path, compression: str, suffix: str) -> None:
    # The later file is written first.
    _write(tmp_path / f"Split-train/examples-1{suffix}", IMPRESSIONS[3:], compression)
    _write(tmp_path / f"Split-train/examples-0{suffix}", IMPRESSIONS[:3], compression)
    batches = list(read_rows(f"{tmp_path}/Split-train/examples-*", _index(), batch_size=2))
    assert [len(label) for _, label in batches] == [2, 2, 1]
    assert {label.dtype for _, label in batches} == {tf.float32}
    assert np.concatenate([label for _, label in batches]).tolist() == [1, 0, 1, 0, 1]
    together = {name: np.concatenate([rows[name] for rows, _ in batches]).tolist() for name in batches[0][0]}
    assert together == {
        "image_row": [1, 0, 2, 0, 2],
        "text_row": [0, 0, 2, 1, 2],
        "behavior_image_row": [[2, 0, 0], [1, 0, 0], [0, 0, 0], [0, 1, 2], [2, 0, 0]],
        "behavior_text_row": [[2, 1, 0], [0, 0, 0], [0, 0, 0], [0, 0, 2], [2, 0, 0]],
    }


def test_a_model_trains_on_what_is_read(tmp_path: Path) -> None:
    _write(tmp_path / "examples", IMPRESSIONS, "")
    model = MakeModel({"image": (3, 4), "text": (3, 2)}, CONFIG)
    dataset = read_rows(f"{tmp_path}/examples", _index(), batch_size=3)
    history = train_make(model, dataset, CONFIG, dataset)
    assert history["examples"] == 4 * 5 and len(history["epochs"]) == 4


def test_no_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="got no file"):
        read_rows(f"{tmp_path}/none-*", _index(), 4)
