"""The recall model."""

import math
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.recall.config import FUSIONS, RecallConfig
from models.recall.model import RecallModel
from transforms.feature import ID_FEATURES, Feature

EVERY = pytest.mark.parametrize("fusion", FUSIONS)
GATED = ["output", "conditional_output", "feature_conditional_output"]


@pytest.mark.parametrize("fusion", GATED)
def test_folded_score_equals_gated_score(
    fusion: str, make_model: Callable, make_users: Callable, make_items: Callable
) -> None:
    model, users, items = make_model(fusion), make_users(9), make_items(20)
    folded = model.user_vector(users).numpy() @ model.item_vector(items).numpy().T
    # The experts by themselves, and their weights by item.
    of_users, of_items = model._contents(users, {}), model._contents({}, items)
    of_ids = model.id_expert.user(users).numpy() @ model.id_expert.item(items, items["item_clicks"]).numpy().T
    of_content = model.content_expert.user(of_users).numpy() @ model.content_expert.item(of_items).numpy().T
    weights = model.gate(items["item_clicks"]).numpy()
    assert (len(np.unique(weights, axis=0)) > 1) == (fusion != "output")
    np.testing.assert_allclose(folded, weights[:, 0] * of_ids + weights[:, 1] * of_content, atol=1e-5)


@EVERY
def test_scores_by_pairs(
    fusion: str, make_model: Callable, make_users: Callable, make_items: Callable
) -> None:
    # All users and items at once, against each pair by itself.
    model, users, items = make_model(fusion), make_users(4), make_items(5)
    scores = model.reorder_score(users, items).numpy()
    assert scores.shape == (4, 5)
    for user in range(4):
        for item in range(5):
            pair = model.reorder_score(
                {name: values[user : user + 1] for name, values in users.items()},
                {name: values[item : item + 1] for name, values in items.items()},
            )
            np.testing.assert_allclose(pair, [[scores[user, item]]], atol=1e-5)
    inner = model.user_vector(users).numpy() @ model.item_vector(items).numpy().T
    assert model.user_vector(users).shape == (4, model.vector_dim)
    assert np.allclose(scores, inner, atol=1e-5) != fusion.startswith("feature")


def test_histograms_against_a_loop(
    make_model: Callable, make_users: Callable, make_items: Callable, vectors: dict
) -> None:
    model, users, items = make_model("feature", temperature=0.25), make_users(6), make_items(7)
    added = model.reorder_score(users, items) - tf.matmul(
        model.user_vector(users), model.item_vector(items), transpose_b=True
    )
    for user in range(6):
        for item in range(7):
            tiers = []
            for modality in ("image", "text"):
                counts = np.zeros(5)
                own = items[f"{modality}_row"][item]
                for row in users[f"behavior_{modality}_row"][user]:
                    if own and row:  # tiers of width 0.4 over [-1, 1]
                        cosine = float(vectors[modality][own] @ vectors[modality][row])
                        counts[min(int((cosine + 1) / 0.4), 4)] += 1
                tiers.append(np.log1p(counts))
            expected = model.tier_mlp(np.concatenate(tiers)[None].astype(np.float32))
            np.testing.assert_allclose(added[user, item], 0.25 * expected[0, 0], atol=1e-5)


@EVERY
def test_empty_and_unknown(
    fusion: str, make_model: Callable, make_users: Callable, make_items: Callable
) -> None:
    model = make_model(fusion)
    score = tf.function(model.reorder_score)
    # User 0 has no behaviors, item 0 no known id, no clicks and no content.
    users, items = make_users(3), make_items(4)
    assert np.isfinite(score(users, items)).all()
    unknown = {name: np.zeros_like(values) for name, values in users.items()}
    assert np.isfinite(score(unknown, items)).all()
    bare = {name: np.zeros_like(values) for name, values in items.items()}
    assert np.isfinite(score(users, bare)).all()
    # Behaviors of length 0 are the same as none; no items, no users.
    short = make_users(1, length=0)
    padded = {n: np.zeros((1, 3), v.dtype) if n.startswith("behavior_") else v for n, v in short.items()}
    np.testing.assert_allclose(score(short, items), score(padded, items), atol=1e-6)
    assert score(users, make_items(0)).shape == (3, 0)
    assert score(make_users(0), items).shape == (0, 4)
    assert score(make_users(0, length=0), make_items(0)).shape == (0, 0)
    assert tf.function(model.item_vector)(make_items(0)).shape == (0, model.vector_dim)
    assert tf.function(model.user_vector)(make_users(0, length=0)).shape == (0, model.vector_dim)


def test_given_embeddings_stand_for_rows(
    make_model: Callable, make_users: Callable, make_items: Callable, vectors: dict
) -> None:
    model, users, items = make_model("feature_conditional_output"), make_users(3), make_items(5)
    given_users, given_items = dict(users), dict(items)
    for modality in ("image", "text"):
        rows, behaviors = items[f"{modality}_row"], users[f"behavior_{modality}_row"]
        given_items[f"{modality}_embedding"] = 3 * vectors[modality][rows]
        given_items[f"{modality}_row"] = np.zeros_like(rows)
        given_users[f"behavior_{modality}_embedding"] = 3 * vectors[modality][behaviors]
        given_users[f"behavior_{modality}_row"] = np.zeros_like(behaviors)
    expected = model.reorder_score(users, items)
    np.testing.assert_allclose(model.reorder_score(given_users, given_items), expected, atol=1e-5)


def test_an_item_without_clicks_is_known_by_all_but_its_id(
    make_model: Callable, make_items: Callable
) -> None:
    model, items = make_model("id"), make_items(6)
    other = items | {"item_id_xf": (items["item_id_xf"] + 1) % 40}
    for clicks, same in [(0, True), (1, False)]:
        now = {"item_clicks": np.full(6, clicks)}
        assert np.allclose(model.item_vector(items | now), model.item_vector(other | now)) == same


def test_gate_weights(make_model: Callable) -> None:
    assert make_model("conditional_output").gate.weights_by_bucket().shape == (6, 2)
    assert make_model("id").gate is None
    untrained = make_model("output", randomize=False).gate.weights_by_bucket()
    np.testing.assert_allclose(untrained, [[1, 1]], rtol=1e-6)


def _clicks(make_users: Callable, make_items: Callable, count: int) -> tuple[dict, dict]:
    """Clicked impressions, and the items of two earlier ones."""
    items, earlier = make_items(count, seed=8), make_items(2, seed=9)
    for side in (items, earlier):
        side["clicks_before"] = side["item_clicks"] // 2
        side["item_clicks"] = side["item_clicks"] + 1
    return make_users(count, seed=7) | items, earlier


@EVERY
def test_loss_against_its_parts(
    fusion: str, make_model: Callable, make_users: Callable, make_items: Callable
) -> None:
    model = make_model(fusion, temperature=0.5, reorder_examples=3)
    features, earlier = _clicks(make_users, make_items, 5)
    columns = [*model.item_columns, "clicks_before"]
    items = {name: np.concatenate([features[name], earlier[name]]) for name in columns}
    # Gates and IDs go by the clicks before, how likely an item is drawn by all.
    known = items | {"item_clicks": items["clicks_before"]}

    def cross_entropy(scores: np.ndarray, count: int) -> list[float]:
        losses = []
        for user in range(len(scores)):
            logits = [
                scores[user, item] / 0.5 - math.log(items["item_clicks"][item])
                for item in range(count)
                if item == user or items["item_id_xf"][item] != items["item_id_xf"][user]
            ]
            own = scores[user, user] / 0.5 - math.log(items["item_clicks"][user])
            losses.append(math.log(sum(map(math.exp, logits))) - own)
        return losses

    inner = model.user_vector(features).numpy() @ model.item_vector(known).numpy().T
    expected = np.array(cross_entropy(inner, 7))
    if fusion.startswith("feature"):
        both = model.reorder_score(features, known).numpy()[:3, :3]
        expected += np.mean(cross_entropy(both, 3))
    np.testing.assert_allclose(model((features, earlier)), expected, rtol=1e-4)


@EVERY
def test_gradients(fusion: str, make_model: Callable, make_users: Callable, make_items: Callable) -> None:
    model = make_model(fusion)
    inputs = _clicks(make_users, make_items, 8)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model(inputs))
    variables = [variable.value for variable in model.trainable_variables]
    gradients = tape.gradient(loss, variables)
    assert all(gradient is not None for gradient in gradients)
    frozen = {id(table.table) for table in model.embeddings.tables.values()}
    assert frozen.isdisjoint(id(variable) for variable in model.trainable_variables)
    tables = model.id_expert.tables.values() if model.id_expert is not None else ()
    rowwise = {id(table.table.value) for table in tables}
    assert {
        id(v) for v, g in zip(variables, gradients, strict=True) if isinstance(g, tf.IndexedSlices)
    } == rowwise


def test_reordering_leaves_the_towers_alone(
    make_model: Callable, make_users: Callable, make_items: Callable
) -> None:
    inputs = _clicks(make_users, make_items, 8)
    gradients = []
    for fusion in ("id", "feature"):
        model = make_model(fusion, randomize=False)
        rng = np.random.default_rng(2)
        for variable in model.id_expert.trainable_variables:
            variable.assign(rng.normal(size=variable.shape))
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(model(inputs))
        gradients.append(tape.gradient(loss, model.id_expert.item_tower.trainable_variables[0].value))
    np.testing.assert_allclose(*gradients, rtol=1e-4, atol=1e-6)


@EVERY
def test_config_round_trip_and_loading(
    fusion: str, make_model: Callable, make_users: Callable, make_items: Callable, tmp_path: Path
) -> None:
    model = make_model(fusion)
    copy = RecallModel.from_config(model.get_config())
    assert copy.get_config() == model.get_config()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    users, items = make_users(3), make_items(4)
    np.testing.assert_array_equal(loaded.reorder_score(users, items), model.reorder_score(users, items))


def test_the_same_seed_begins_the_same(make_model: Callable) -> None:
    one, same, other = (make_model("output", randomize=False, seed=seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one.get_weights(), same.get_weights(), strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


def test_what_it_cannot_be_made_of() -> None:
    sizes = {"user_id": 3, "item_id": 3, "category_id": 3, "shop_id": 3}
    with pytest.raises(ValueError, match="fusion content needs embedding_shapes, got none"):
        RecallModel(ID_FEATURES, sizes, RecallConfig(fusion="content"))
    with pytest.raises(ValueError, match="shop_id must be a feature of the item's side"):
        RecallModel(ID_FEATURES[:3], sizes, RecallConfig(fusion="id"))
    with pytest.raises(ValueError, match="must name the table of gender"):
        RecallModel((*ID_FEATURES, Feature("gender")), sizes, RecallConfig(fusion="id"))
