"""The click model: `score` equals `call`, padding is ignored, save and load, config."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.ctr.config import CtrConfig
from models.ctr.model import CtrModel
from transforms.feature import Feature, model_features
from transforms.input_error import InputError

FEATURES = model_features(
    (Feature("city"), Feature("bid", kind="numeric"), Feature("price", kind="bucketized", side="item"))
)
SIZES = {"user_id": 9, "item_id": 20, "category_id": 5, "shop_id": 6, "city": 4, "price": 11}
CONFIG = CtrConfig(embedding_dim=4, attention_units=(6,), mlp_units=(8, 5))


def examples(batch: int, length: int = 7, seed: int = 0) -> dict[str, tf.Tensor]:
    rng = np.random.default_rng(seed)
    inputs = {f"{name}_xf": rng.integers(0, size, batch) for name, size in SIZES.items()}
    inputs["bid_xf"] = rng.normal(size=batch).astype("float32")
    lengths = rng.integers(0, length + 1, batch)
    is_real = np.arange(length) < lengths[:, None]
    for name in ("item_id", "category_id", "shop_id"):
        inputs[f"behavior_{name}_xf"] = np.where(is_real, rng.integers(1, SIZES[name], (batch, length)), 0)
    return {name: tf.constant(value) for name, value in inputs.items()}


@pytest.fixture(scope="module")
def model() -> CtrModel:
    model = CtrModel(FEATURES, SIZES, CONFIG)
    rng = np.random.default_rng(1)
    # Weights large enough that every part of the model moves the logits.
    model.set_weights([rng.normal(scale=0.5, size=weight.shape) for weight in model.get_weights()])
    return model


def test_score_equals_call_with_the_user_repeated(model):
    inputs = examples(12)
    user_side = [f"{feature.name}_xf" for feature in FEATURES if feature.side == "user"]
    user_side += [name for name in inputs if name.startswith("behavior_")]
    for row in range(3):
        user = {name: inputs[name][row : row + 1] for name in user_side}
        repeated = inputs | {name: tf.repeat(value, 12, axis=0) for name, value in user.items()}
        candidates = {name: value for name, value in inputs.items() if name not in user_side}
        np.testing.assert_allclose(model.score(user, candidates), model(repeated), rtol=1e-4, atol=1e-5)


def test_more_padding_changes_nothing(model):
    inputs = examples(8)
    padded = {
        name: tf.pad(value, [[0, 0], [0, 5]]) if name.startswith("behavior_") else value
        for name, value in inputs.items()
    }
    np.testing.assert_allclose(model(padded), model(inputs), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", [*SIZES, "bid", "behavior_item_id", "behavior_category_id", "behavior_shop_id"])
def test_every_input_matters(model, name):
    inputs = examples(64)
    key = f"{name}_xf"
    changed = inputs | {key: inputs[key] + tf.ones_like(inputs[key])}
    if name != "bid":
        rows = SIZES[name.removeprefix("behavior_")]
        changed[key] = tf.where(inputs[key] == 0, inputs[key], 1 + inputs[key] % (rows - 1))
    assert np.abs(model(changed) - model(inputs)).max() > 1e-3


def test_behaviors_share_the_tables_of_items(model):
    names = sorted(weight.path for weight in model.weights if "table" in weight.path)
    assert len(names) == len(SIZES)


def test_save_and_load(model, tmp_path):
    inputs = examples(5)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(inputs), model(inputs))
    assert loaded.get_config() == model.get_config()


def test_equal_seeds_give_equal_models():
    first, second = (CtrModel(FEATURES, SIZES, CONFIG) for _ in range(2))
    for left, right in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_table_without_a_size_is_an_error():
    with pytest.raises(ValueError, match="city"):
        CtrModel(FEATURES, {name: size for name, size in SIZES.items() if name != "city"}, CONFIG)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"batch_size": 0}, "ctr.batch_size"),
        ({"learning_rate": 0.0}, "ctr.learning_rate"),
        ({"mlp_units": ()}, "ctr.mlp_units"),
        ({"global_clipnorm": -1.0}, "ctr.global_clipnorm"),
    ],
)
def test_bad_configuration_is_named(values, said):
    with pytest.raises(InputError, match=said):
        CtrConfig(**values)
