"""The model of embeddings alone."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from models.make.config import MakeConfig
from models.make.model import MakeModel

SHAPES = {"image": (6, 5), "text": (5, 4)}
CONFIG = MakeConfig(attention_units=(4,), mlp_units=(5, 3), projection_dim=3, seed=2)
BATCH, LENGTH = 16, 6

Arrays = dict[str, np.ndarray]


def _vectors() -> Arrays:
    """Unit vectors, and zeros in row 0."""
    rng = np.random.default_rng(0)
    tables = {}
    for modality, shape in SHAPES.items():
        vectors = rng.normal(size=shape)
        tables[modality] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        tables[modality][0] = 0
    return tables


def _inputs() -> Arrays:
    rng = np.random.default_rng(1)
    inputs = {}
    for modality, (rows, _) in SHAPES.items():
        inputs[f"{modality}_row"] = rng.integers(0, rows, BATCH)
        inputs[f"behavior_{modality}_row"] = rng.integers(0, rows, (BATCH, LENGTH))
        # One without any behavior, and one without a target.
        inputs[f"behavior_{modality}_row"][0] = 0
        inputs[f"{modality}_row"][1] = 0
    return inputs


def _model(config: MakeConfig = CONFIG) -> MakeModel:
    model = MakeModel(SHAPES, config)
    rng = np.random.default_rng(5)
    model.extractor.set_weights([rng.normal(size=w.shape) / 2 for w in model.extractor.get_weights()])
    model.embeddings.assign(_vectors())
    return model


def test_logits_are_the_extractors() -> None:
    model, vectors, inputs = _model(), _vectors(), _inputs()
    targets = [vectors[name][inputs[f"{name}_row"]] for name in SHAPES]
    behaviors = [vectors[name][inputs[f"behavior_{name}_row"]] for name in SHAPES]
    padding_mask = (inputs["behavior_image_row"] != 0) | (inputs["behavior_text_row"] != 0)
    similarities = [np.einsum("bd,bld->bl", q, k) for q, k in zip(targets, behaviors, strict=True)]
    _, expected = model.extractor(targets, behaviors, padding_mask, np.stack(similarities))
    logits = model(inputs)
    assert logits.shape == (BATCH,) and logits.dtype == "float32"
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    assert len(set(logits.numpy().tolist())) == BATCH


def test_more_padding_changes_nothing() -> None:
    model, inputs = _model(), _inputs()
    longer = inputs | {
        name: np.pad(rows, ((0, 0), (0, 3))) for name, rows in inputs.items() if name.startswith("behavior_")
    }
    np.testing.assert_allclose(model(longer), model(inputs), atol=1e-5)


def test_all_but_the_embeddings_is_trained() -> None:
    model = _model()
    trained = [variable.path for variable in model.trainable_variables]
    assert trained == [variable.path for variable in model.extractor.weights]
    assert len(model.weights) == len(trained) + 2


def test_the_seed_fixes_the_initial_values() -> None:
    first, again, other = (
        MakeModel(SHAPES, MakeConfig(seed=seed)).extractor.get_weights() for seed in (1, 1, 2)
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_config_round_trip() -> None:
    model = _model()
    again = MakeModel.from_config(json.loads(json.dumps(model.get_config())))
    assert again.config == CONFIG
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again(_inputs()), model(_inputs()))


@pytest.mark.parametrize("file", ["make.keras", "make.weights.h5"])
def test_saves_and_loads(tmp_path: Path, file: str) -> None:
    model = _model()
    if file.endswith(".keras"):
        model.save(tmp_path / file)
        loaded = keras.models.load_model(tmp_path / file)
    else:
        model.save_weights(tmp_path / file)
        loaded = MakeModel(SHAPES, CONFIG)
        loaded.load_weights(tmp_path / file)
    for ours, expected in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, expected)
    np.testing.assert_array_equal(loaded(_inputs()), model(_inputs()))
