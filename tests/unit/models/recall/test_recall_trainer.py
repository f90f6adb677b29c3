"""Training of the recall model."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from models.recall.config import FUSIONS, RecallConfig
from models.recall.dataset import with_clicks_before, with_earlier_items
from models.recall.trainer import compile_for_training, train
from transforms.input_error import InputError


def _clicks(make_users: Callable, make_items: Callable, count: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Users who click what is of the category of their gender."""
    features = make_users(count, seed=seed) | make_items(count, seed=seed + 1)
    features["category_id_xf"] = features["gender_xf"] + 1
    features["item_id_xf"] = 1 + 4 * (features["item_id_xf"] % 9) + features["gender_xf"]
    clicks = np.bincount(features["item_id_xf"], minlength=40)
    return features | {"item_clicks": clicks[features["item_id_xf"]]}


def _dataset(features: dict, batch_size: int) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices(features).batch(batch_size)


@pytest.mark.parametrize("fusion", [name for name in FUSIONS if name != "content"])
def test_learns_what_users_click(
    fusion: str, make_model: Callable, make_users: Callable, make_items: Callable
) -> None:
    model = make_model(
        fusion,
        randomize=False,
        learning_rate=0.01,
        table_learning_rate=0.05,
        epochs=4,
        queue_size=20,
        reorder_examples=16,
    )
    features = _clicks(make_users, make_items, 2_000)
    history = train(model, _dataset(features, 50), model.config)
    assert history["examples"] == 8_000
    assert history["curve"][-1]["loss"] < history["curve"][0]["loss"]
    users, items = make_users(200, seed=9), _clicks(make_users, make_items, 100, seed=20)
    scores = model.reorder_score(users, {name: items[name] for name in model.item_columns}).numpy()
    likes = users["gender_xf"][:, None] == items["category_id_xf"] - 1
    # Of a user's ten best nearly all are of the liked category, where a quarter would be by chance.
    best = np.argsort(-scores, axis=1)[:, :10]
    assert np.take_along_axis(likes, best, axis=1).mean() > 0.9


def test_content_alone_learns(make_model: Callable, make_users: Callable, make_items: Callable) -> None:
    # Users click what has the picture of their behaviors.
    model = make_model("content", randomize=False, learning_rate=0.01, epochs=3)
    features = make_users(1_000) | make_items(1_000)
    rows = np.random.default_rng(3).integers(1, 6, 1_000).astype(np.int32)
    features |= {
        "image_row": rows,
        "text_row": np.zeros(1_000, np.int32),
        "item_id_xf": rows.astype(np.int64),
    }
    features |= {"item_clicks": np.full(1_000, 200)}
    features["behavior_image_row"] = np.repeat(rows[:, None], 6, axis=1)
    features["behavior_text_row"] = np.zeros((1_000, 6), np.int32)
    train(model, _dataset(features, 50), model.config)
    scores = model.reorder_score(features, {name: features[name][:50] for name in model.item_columns}).numpy()
    assert (rows[scores.argmax(axis=1)] == rows).mean() > 0.95


def test_the_same_seed_gives_the_same_model(
    make_model: Callable, make_users: Callable, make_items: Callable
) -> None:
    features = _clicks(make_users, make_items, 300)
    runs = []
    for _ in range(2):
        model = make_model("feature_conditional_output", randomize=False)
        train(model, _dataset(features, 50), model.config)
        runs.append(model.get_weights())
    assert all(np.array_equal(a, b) for a, b in zip(*runs, strict=True))


def test_embeddings_stay_as_they_are(
    make_model: Callable, make_users: Callable, make_items: Callable, vectors: dict
) -> None:
    model = make_model("feature_conditional_output", randomize=False)
    train(model, _dataset(_clicks(make_users, make_items, 100), 50), model.config)
    for modality, table in model.embeddings.tables.items():
        np.testing.assert_array_equal(table.table, vectors[modality])


def test_a_step_never_reads_or_writes_a_whole_table(
    make_model: Callable, make_users: Callable, make_items: Callable
) -> None:
    model = make_model("feature_conditional_output")
    compile_for_training(model, model.config)
    clicks = with_clicks_before(_dataset(_clicks(make_users, make_items, 8), 8), seed=0)
    dataset = with_earlier_items(clicks, [*model.item_columns, "clicks_before"], 4)
    model.fit(dataset, verbose=0)
    batch = next(iter(dataset))
    graph = tf.function(model.train_step).get_concrete_function(batch).graph
    accumulators = [slots[0] for slots in model.optimizer._slots if len(slots) == 1]
    ids, frozen = model.id_expert.tables.values(), model.embeddings.tables.values()
    tables = [*(table.table for table in (*ids, *frozen)), *accumulators]
    handles_of = {id(variable.value.handle) for variable in tables}
    handles = {inner.name for outer, inner in graph.captures if id(outer) in handles_of}
    users = {op.type for op in graph.get_operations() for tensor in op.inputs if tensor.name in handles}
    assert len(handles) == 2 * len(ids) + len(frozen)
    assert users == {"ResourceGather", "ResourceScatterUpdate"}


def test_loss_that_is_not_finite(make_model: Callable, make_users: Callable, make_items: Callable) -> None:
    # Row 20 is the first of the third batch.
    features = _clicks(make_users, make_items, 50)
    features["price_xf"][20] = math.inf
    model = make_model("id", randomize=False)
    with pytest.raises(InputError, match="at step 3;"):
        train(model, _dataset(features, 10), model.config)


def test_settings_reach_the_optimizer(make_model: Callable) -> None:
    model = make_model("id")
    config = RecallConfig(learning_rate=0.25, table_learning_rate=0.5, global_clipnorm=3.0)
    compile_for_training(model, config)
    assert float(model.optimizer.learning_rate.numpy()) == 0.25
    assert (model.optimizer.table_learning_rate, model.optimizer.global_clipnorm) == (0.5, 3.0)
    assert not model.jit_compile
