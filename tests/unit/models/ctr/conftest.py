"""Small click-through-rate models and data for them."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from models.ctr.config import CtrConfig
from models.ctr.model import CtrModel
from models.make.config import MakeConfig
from transforms.feature import ID_FEATURES, Feature

FEATURES = (
    *ID_FEATURES,
    Feature("gender"),
    Feature("age", kind="bucketized", num_buckets=4),
    Feature("hour", kind="numeric"),
    Feature("price", kind="numeric", side="item"),
    Feature("brand", side="item"),
)
TABLE_SIZES = {
    "user_id": 30,
    "item_id": 40,
    "category_id": 6,
    "shop_id": 9,
    "gender": 4,
    "age": 5,
    "brand": 7,
}
CONFIG = CtrConfig(integration="id", embedding_dim=4, attention_units=(6, 5), mlp_units=(8, 7), seed=3)
MAKE = MakeConfig(attention_units=(4,), mlp_units=(5, 3), projection_dim=3)
# Few rows, so that many items have no embedding.
SHAPES = {"image": (6, 5), "text": (5, 4)}

Inputs = dict[str, np.ndarray]


def unit_vectors(seed: int, *shape: int) -> np.ndarray:
    """Random directions."""
    vectors = np.random.default_rng(seed).normal(size=shape)
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


@pytest.fixture
def vectors() -> dict[str, np.ndarray]:
    """The embeddings of the models' tables, row 0 zeros."""
    tables = {modality: unit_vectors(7, *shape) for modality, shape in SHAPES.items()}
    for table in tables.values():
        table[0] = 0
    return tables


@pytest.fixture
def make_model(vectors: dict[str, np.ndarray]) -> Callable[..., CtrModel]:
    """A model with every kind of feature on both sides; `randomize` draws all weights anew, also biases."""

    def make(
        config: CtrConfig = CONFIG,
        randomize: bool = False,
        modalities: Sequence[str] = (),
        make: MakeConfig = MAKE,
    ) -> CtrModel:
        shapes = {modality: SHAPES[modality] for modality in modalities}
        model = CtrModel(FEATURES, TABLE_SIZES, config, shapes, make)
        if randomize:
            rng = np.random.default_rng(5)
            model.set_weights([rng.normal(size=weight.shape) * 0.5 for weight in model.get_weights()])
        model.embeddings.assign(vectors)
        return model

    return make


@pytest.fixture
def make_inputs() -> Callable[..., Inputs]:
    """Transformed features of some impressions; behaviors stand before their padding, some users have none."""

    def make(batch: int, length: int = 6, seed: int = 0, modalities: Sequence[str] = ()) -> Inputs:
        rng = np.random.default_rng(seed)
        inputs = {f"{name}_xf": rng.integers(0, rows, batch) for name, rows in TABLE_SIZES.items()}
        inputs |= {f"{name}_xf": rng.normal(size=batch).astype(np.float32) for name in ("hour", "price")}
        is_real = np.arange(length) < rng.integers(0, length + 1, batch)[:, None]
        for name in ("item_id", "category_id", "shop_id"):
            ids = rng.integers(1, TABLE_SIZES[name], (batch, length))
            inputs[f"behavior_{name}_xf"] = np.where(is_real, ids, 0)
        for modality in modalities:
            rows = rng.integers(0, SHAPES[modality][0], (batch, length))
            inputs[f"behavior_{modality}_row"] = np.where(is_real, rows, 0).astype(np.int32)
            inputs[f"{modality}_row"] = rng.integers(0, SHAPES[modality][0], batch).astype(np.int32)
        return inputs

    return make
