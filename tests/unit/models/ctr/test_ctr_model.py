"""The click-through-rate model of IDs alone."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from models.ctr.config import CtrConfig
from models.ctr.model import CtrModel
from transforms.feature import ID_FEATURES, Feature

SIZES = {"user_id": 3, "item_id": 3, "category_id": 3, "shop_id": 3}
BEHAVIORS = tuple(f"behavior_{name}_xf" for name in ("item_id", "category_id", "shop_id"))
ITEM_SIDE = tuple(f"{name}_xf" for name in ("item_id", "category_id", "shop_id", "price", "brand"))


@pytest.mark.parametrize("length", [0, 1, 6])
def test_score_equals_call_with_the_user_repeated(
    make_model: Callable, make_inputs: Callable, length: int
) -> None:
    model, inputs = make_model(randomize=True), make_inputs(9, length)
    for row in range(3):
        user = {name: values[row : row + 1] for name, values in inputs.items() if name not in ITEM_SIDE}
        candidates = {name: inputs[name] for name in ITEM_SIDE}
        repeated = {name: values.repeat(9, 0) for name, values in user.items()}
        np.testing.assert_allclose(model.score(user, candidates), model(repeated | candidates), atol=1e-5)


def test_mixed_precision_scores_and_calls_alike(make_model: Callable, make_inputs: Callable) -> None:
    config = CtrConfig(
        integration="id", embedding_dim=4, attention_units=(6, 5), mlp_units=(8, 7), mixed_precision=True
    )
    full, mixed, inputs = make_model(randomize=True), make_model(config, randomize=True), make_inputs(9)
    assert {variable.dtype for variable in mixed.variables} - {"int64", "uint32"} == {"float32"}
    logits = mixed(inputs)
    assert logits.dtype == "float32"
    np.testing.assert_allclose(logits, full(inputs), atol=0.1)
    user = {name: values[:1] for name, values in inputs.items() if name not in ITEM_SIDE}
    candidates = {name: inputs[name] for name in ITEM_SIDE}
    repeated = {name: values.repeat(9, 0) for name, values in user.items()}
    np.testing.assert_allclose(mixed.score(user, candidates), mixed(repeated | candidates), atol=0.1)


def test_more_padding_changes_nothing(make_model: Callable, make_inputs: Callable) -> None:
    model, inputs = make_model(randomize=True), make_inputs(8)
    longer = inputs | {name: np.pad(inputs[name], ((0, 0), (0, 5))) for name in BEHAVIORS}
    np.testing.assert_allclose(model(longer), model(inputs), atol=1e-6)


def test_behaviors_share_the_tables_of_the_item(make_model: Callable, make_inputs: Callable) -> None:
    model, inputs = make_model(randomize=True), make_inputs(8)
    only_in_behaviors = [
        set(inputs["behavior_item_id_xf"][row].tolist()) - {0, *inputs["item_id_xf"]} for row in range(8)
    ]
    row = next(row for row in range(8) if only_in_behaviors[row])
    before = model(inputs)[row]
    table = model.tables["item_id"]
    values = table.table.numpy()
    values[only_in_behaviors[row].pop()] += 1
    table.set_weights([values])
    assert abs(float(model(inputs)[row] - before)) > 1e-4


def test_saves_and_loads(make_model: Callable, make_inputs: Callable, tmp_path: Path) -> None:
    model, inputs = make_model(randomize=True), make_inputs(8)
    expected = model(inputs)
    model.save(tmp_path / "ctr.keras")
    loaded = keras.models.load_model(tmp_path / "ctr.keras")
    assert (loaded.features, loaded.table_sizes, loaded.config) == (
        model.features,
        model.table_sizes,
        model.config,
    )
    np.testing.assert_array_equal(loaded(inputs), expected)


def test_the_seed_fixes_the_initial_values(make_model: Callable) -> None:
    first, again, other = (
        make_model(CtrConfig(integration="id", seed=seed)).get_weights() for seed in (1, 1, 2)
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize(
    "features, message",
    [
        (ID_FEATURES[1:], "user_id must be a feature of the user's side"),
        ((*ID_FEATURES[:3], Feature("shop_id", side="user")), "shop_id must be a feature of the item's side"),
        ((*ID_FEATURES, Feature("city")), "the table of city"),
    ],
)
def test_features_that_do_not_fit_are_refused(features: tuple[Feature, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CtrModel(features, SIZES, CtrConfig(integration="id"))
