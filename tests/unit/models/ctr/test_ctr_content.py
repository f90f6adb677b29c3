"""The click-through-rate model with content: one user's candidates, given embeddings, what stays frozen."""

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.ctr.config import CtrConfig
from models.ctr.model import CtrModel
from models.ctr.trainer import train
from models.make.config import MakeConfig
from transforms.feature import ID_FEATURES

CONFIG = CtrConfig(embedding_dim=4, attention_units=(6, 5), mlp_units=(8, 7), num_tiers=5)
INTEGRATIONS = ("id", "vector", "simscore", "simtier", "make", "simtier_make")
WITH_CONTENT = INTEGRATIONS[1:]
BOTH = ("image", "text")
DIMS = {"image": 5, "text": 4}
ITEM_SIDE = ("item_id_xf", "category_id_xf", "shop_id_xf", "price_xf", "brand_xf")
MAKE_SIZES = {"attention_units": (4,), "mlp_units": (5, 3), "projection_dim": 3}

Inputs = dict[str, np.ndarray]

every_integration = pytest.mark.parametrize("integration", INTEGRATIONS)
every_content = pytest.mark.parametrize("integration", WITH_CONTENT)


def _config(integration: str, **values: object) -> CtrConfig:
    return dataclasses.replace(CONFIG, integration=integration, **values)


def _is_of_item(name: str) -> bool:
    return name in ITEM_SIDE or (not name.startswith("behavior_") and name.endswith(("_row", "_embedding")))


def _give(inputs: Inputs, modalities: Sequence[str] = BOTH) -> Inputs:
    """Embeddings of any length for about half of the items and behaviors, zeros for the others."""
    rng = np.random.default_rng(11)
    batch, length = inputs["behavior_item_id_xf"].shape
    given = {}
    for modality in modalities:
        for name, shape in ((f"{modality}_", (batch,)), (f"behavior_{modality}_", (batch, length))):
            vectors = rng.normal(size=(*shape, DIMS[modality])) * rng.uniform(0.1, 9, (*shape, 1))
            is_given = rng.random((*shape, 1)) < 0.5
            if name.startswith("behavior_"):
                is_given &= inputs["behavior_item_id_xf"][..., None] != 0
            given[f"{name}embedding"] = np.where(is_given, vectors, 0).astype(np.float32)
    return inputs | given


def _dataset(inputs: Inputs) -> tf.data.Dataset:
    labels = (np.arange(len(inputs["item_id_xf"])) % 3 == 0).astype(np.float32)
    return tf.data.Dataset.from_tensor_slices((inputs, labels)).batch(32)


def _bits(layer: keras.Layer) -> list[bytes]:
    """All weights, to be compared with another layer's."""
    return [weight.tobytes() for weight in layer.get_weights()]


def _values(layer: keras.Layer) -> dict[str, bytes]:
    """All weights by name, to be compared with what they were."""
    return {variable.path: variable.numpy().tobytes() for variable in layer.weights}


def _check_score(model: CtrModel, inputs: Inputs, atol: float) -> None:
    """`score` equals `call` with each user repeated."""
    candidates = {name: values for name, values in inputs.items() if _is_of_item(name)}
    for row in range(3):
        user = {name: values[row : row + 1] for name, values in inputs.items() if name not in candidates}
        repeated = {name: values.repeat(9, 0) for name, values in user.items()}
        scores = model.score(user, candidates)
        assert scores.shape == (9,) and scores.dtype == "float32"
        np.testing.assert_allclose(scores, model(repeated | candidates), atol=atol, rtol=atol)


@pytest.mark.parametrize("modalities", [("image",), ("text",), BOTH], ids="+".join)
@every_integration
def test_score_equals_call_with_the_user_repeated(
    make_model: Callable, make_inputs: Callable, integration: str, modalities: tuple[str, ...]
) -> None:
    model = make_model(_config(integration), randomize=True, modalities=modalities)
    inputs = make_inputs(9, modalities=modalities)
    # A user without any behavior is among the three.
    inputs |= {
        name: np.where(np.arange(9) == 1, 0, values.T).T for name, values in inputs.items() if "behav" in name
    }
    _check_score(model, inputs, 1e-5)
    _check_score(model, _give(inputs, modalities), 1e-5)


@every_content
def test_mixed_precision_scores_and_calls_alike(
    make_model: Callable, make_inputs: Callable, integration: str
) -> None:
    full = make_model(_config(integration), randomize=True, modalities=BOTH)
    mixed = make_model(_config(integration, mixed_precision=True), modalities=BOTH)
    mixed.set_weights(full.get_weights())
    inputs = make_inputs(9, modalities=BOTH)
    assert {variable.dtype for variable in mixed.variables} - {"int64", "uint32"} == {"float32"}
    np.testing.assert_allclose(mixed(inputs), full(inputs), atol=0.2, rtol=0.1)
    _check_score(mixed, inputs, 0.2)
    train(mixed, _dataset(make_inputs(64, modalities=BOTH)), _config(integration))
    assert all(np.isfinite(weight).all() for weight in mixed.get_weights())


def test_mixed_precision_counts_the_same_tiers(make_model: Callable, make_inputs: Callable) -> None:
    # With a hundred tiers a similarity in bfloat16 would often be in another.
    inputs = make_inputs(200, modalities=BOTH)
    counts = []
    for mixed in (False, True):
        config = _config("simtier", num_tiers=100, mixed_precision=mixed)
        model = make_model(config, modalities=BOTH)
        [sim_tiers] = model.integrations
        added = sim_tiers(contents=model.embeddings(inputs, inputs)).candidate
        counts.append(np.concatenate([tf.cast(part, tf.float32) for part in added], axis=-1))
    assert counts[0].any()
    np.testing.assert_array_equal(*counts)


@every_content
def test_more_padding_changes_nothing(make_model: Callable, make_inputs: Callable, integration: str) -> None:
    model = make_model(_config(integration), randomize=True, modalities=BOTH)
    inputs = _give(make_inputs(12, modalities=BOTH))
    longer = inputs | {
        name: np.pad(values, [(0, 0), (0, 5), (0, 0)][: values.ndim])
        for name, values in inputs.items()
        if name.startswith("behavior_")
    }
    assert longer["behavior_image_row"].shape == (12, 11)
    np.testing.assert_allclose(model(longer), model(inputs), atol=1e-5, rtol=1e-5)


@every_content
def test_what_is_missing_is_missing(make_model: Callable, make_inputs: Callable, integration: str) -> None:
    # Where a candidate has no embedding, or no behavior has one, other rows stay as they are and numbers finite.
    model = make_model(_config(integration), randomize=True, modalities=BOTH)
    inputs = make_inputs(12, modalities=BOTH)
    without_target = inputs | {
        f"{name}_row": np.where(np.arange(12) < 6, 0, inputs[f"{name}_row"]) for name in BOTH
    }
    without_behaviors = inputs | {
        f"behavior_{name}_row": inputs[f"behavior_{name}_row"] * (np.arange(12) >= 6)[:, None]
        for name in BOTH
    }
    before = model(inputs).numpy()
    for changed in (without_target, without_behaviors):
        logits = model(changed).numpy()
        assert np.isfinite(logits).all()
        np.testing.assert_allclose(logits[6:], before[6:], atol=1e-5, rtol=1e-5)
        assert not np.allclose(logits[:6], before[:6], atol=1e-3)


@every_content
def test_given_embeddings_that_the_tables_hold_change_nothing(
    make_model: Callable, make_inputs: Callable, vectors: dict[str, np.ndarray], integration: str
) -> None:
    model = make_model(_config(integration), randomize=True, modalities=BOTH)
    inputs = make_inputs(12, modalities=BOTH)
    for scale in (1, 3):  # of any length: they are brought to length 1
        given = {
            name.replace("_row", "_embedding"): scale * vectors[modality][inputs[name]]
            for modality in BOTH
            for name in (f"{modality}_row", f"behavior_{modality}_row")
        }
        rows_forgotten = {name: np.zeros_like(v) for name, v in inputs.items() if name.endswith("_row")}
        expected = model(inputs)
        np.testing.assert_allclose(model(inputs | given), expected, atol=1e-5, rtol=1e-5)
        np.testing.assert_allclose(model(inputs | rows_forgotten | given), expected, atol=1e-5, rtol=1e-5)


@every_content
def test_given_embeddings_take_the_tables_place(
    make_model: Callable, make_inputs: Callable, vectors: dict[str, np.ndarray], integration: str
) -> None:
    model = make_model(_config(integration), randomize=True, modalities=BOTH)
    inputs = make_inputs(12, modalities=BOTH)
    given = _give(inputs)
    # As another model's tables would hold them: a row for every item and behavior of the batch.
    tables, rows = dict(vectors), {}
    for modality in BOTH:
        for name in (f"{modality}_", f"behavior_{modality}_"):
            ours = given[f"{name}embedding"]
            lengths = np.linalg.norm(ours, axis=-1, keepdims=True)
            wanted = np.where(
                lengths > 0, ours / np.maximum(lengths, 1e-9), vectors[modality][inputs[f"{name}row"]]
            )
            numbers = np.arange(wanted[..., 0].size).reshape(wanted.shape[:-1]) + len(tables[modality])
            rows[f"{name}row"] = np.where(wanted.any(axis=-1), numbers, 0)
            tables[modality] = np.concatenate([tables[modality], wanted.reshape(-1, DIMS[modality])])
    other = CtrModel(
        model.features,
        model.table_sizes,
        model.config,
        {modality: table.shape for modality, table in tables.items()},
        model.make,
    )
    weights = [
        [weight for weight in either.weights if "/embeddings/" not in weight.path]
        for either in (model, other)
    ]
    assert len(weights[0]) == len(model.weights) - 2
    for own, others in zip(*weights, strict=True):
        others.assign(own)
    other.embeddings.assign(tables)
    logits = model(given).numpy()
    np.testing.assert_allclose(logits, other(inputs | rows), atol=1e-5, rtol=1e-5)
    assert np.abs(logits - model(inputs)).max() > 0.01
    # Those of one modality alone.
    only_image = inputs | {name: values for name, values in given.items() if "text" not in name}
    image_rows = {name: values for name, values in rows.items() if "text" not in name}
    np.testing.assert_allclose(model(only_image), other(inputs | image_rows), atol=1e-5, rtol=1e-5)


@every_integration
def test_config_round_trip(make_model: Callable, integration: str) -> None:
    model = make_model(_config(integration, seed=4), modalities=BOTH)
    config = model.get_config()
    for again in (CtrModel.from_config(config), CtrModel.from_config(json.loads(json.dumps(config)))):
        assert again.config == model.config and again.make == model.make
        assert again.features == model.features and again.table_sizes == model.table_sizes
        assert [v.shape for v in again.weights] == [v.shape for v in model.weights]
        # The seed is a part of it.
        assert _bits(again.first_dense) == _bits(model.first_dense)


@pytest.mark.parametrize("file", ["ctr.keras", "ctr.weights.h5"])
@every_integration
def test_saves_and_loads(
    make_model: Callable, make_inputs: Callable, tmp_path: Path, integration: str, file: str
) -> None:
    model, inputs = (
        make_model(_config(integration), randomize=True, modalities=BOTH),
        make_inputs(8, modalities=BOTH),
    )
    if file.endswith(".keras"):
        model.save(tmp_path / file)
        loaded = keras.models.load_model(tmp_path / file)
    else:
        model.save_weights(tmp_path / file)
        loaded = make_model(_config(integration, seed=9), modalities=BOTH)
        loaded.load_weights(tmp_path / file)
    assert _bits(loaded) == _bits(model)
    assert [v.trainable for v in loaded.weights] == [v.trainable for v in model.weights]
    np.testing.assert_array_equal(loaded(inputs), model(inputs))


@pytest.mark.parametrize("integration", ["vector", "simscore", "simtier_make"])
def test_training_leaves_the_embeddings_alone(
    make_model: Callable, make_inputs: Callable, vectors: dict[str, np.ndarray], integration: str
) -> None:
    config = _config(integration, train_make=True)
    model, inputs = make_model(config, modalities=BOTH), make_inputs(64, modalities=BOTH)
    frozen = {id(variable) for variable in model.embeddings.weights}
    assert len(frozen) == 2
    assert not frozen & {id(variable) for variable in model.trainable_variables}
    before = _values(model)
    train(model, _dataset(inputs), config)
    for modality in BOTH:
        np.testing.assert_array_equal(model.embeddings.tables[modality].table, vectors[modality])
    changed = {path for path, value in _values(model).items() if value != before[path]}
    assert changed >= {variable.path for variable in model.first_dense.weights}


@pytest.mark.parametrize(
    "integration, reloaded", [("make", False), ("simtier_make", False), ("simtier_make", True)]
)
def test_make_stays_as_it_was_trained(
    make_model: Callable, make_inputs: Callable, tmp_path: Path, integration: str, reloaded: bool
) -> None:
    config = _config(integration, train_make=False)
    model = make_model(config, randomize=True, modalities=BOTH, make=MakeConfig(**MAKE_SIZES, epochs=2))
    if reloaded:
        model.save(tmp_path / "ctr.keras")
        model = keras.models.load_model(tmp_path / "ctr.keras")
    # Two projections, the attention's kernel, bias and pairs' kernel and its last layer's kernel and bias, and
    # two hidden layers and a logit with a kernel and a bias each.
    assert len(model.knowledge.weights) == 2 + 5 + 6
    assert not model.knowledge.trainable_variables
    of_make = {id(variable) for variable in model.knowledge.weights}
    assert not of_make & {id(variable) for variable in model.trainable_variables}
    before, of_dense = _values(model.knowledge), _values(model.first_dense)
    train(model, _dataset(make_inputs(64, modalities=BOTH)), config)
    assert _values(model.knowledge) == before
    assert _values(model.first_dense) != of_dense


@pytest.mark.parametrize(
    "train_make, epochs", [(True, 2), (False, 0), (True, 0)], ids=["goes on", "from scratch", "both"]
)
def test_make_learns_with_the_model(
    make_model: Callable, make_inputs: Callable, train_make: bool, epochs: int
) -> None:
    config = _config("simtier_make", train_make=train_make)
    make = MakeConfig(**MAKE_SIZES, epochs=epochs)
    model = make_model(config, randomize=True, modalities=BOTH, make=make)
    before = _values(model.knowledge)
    train(model, _dataset(make_inputs(96, modalities=BOTH)), config)
    unchanged = {path for path, value in _values(model.knowledge).items() if value == before[path]}
    # The click's loss does not pass through MAKE's own logit.
    assert unchanged == {variable.path for variable in model.knowledge.extractor.logit.weights}


@every_content
def test_content_needs_embeddings(integration: str) -> None:
    sizes = {"user_id": 3, "item_id": 3, "category_id": 3, "shop_id": 3}
    for shapes in (None, {}):
        with pytest.raises(ValueError, match=f"integration {integration} needs embedding_shapes, got none"):
            CtrModel(ID_FEATURES, sizes, _config(integration), shapes)


def test_ids_alone_know_nothing_of_embeddings(make_model: Callable, make_inputs: Callable) -> None:
    plain = make_model(_config("id"))
    beside = make_model(_config("id"), modalities=BOTH)
    assert not beside.embeddings.weights and beside.knowledge is None
    assert _bits(beside) == _bits(plain)
    inputs = make_inputs(8, modalities=BOTH)
    without = {name: values for name, values in inputs.items() if not name.endswith("_row")}
    np.testing.assert_array_equal(beside(inputs), plain(without))
