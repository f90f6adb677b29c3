"""Small recall models and data for them."""

from collections.abc import Callable

import numpy as np
import pytest

from models.recall.config import RecallConfig
from models.recall.model import RecallModel
from transforms.feature import ID_FEATURES, Feature

FEATURES = (
    *ID_FEATURES,
    Feature("gender"),
    Feature("hour", kind="numeric"),
    Feature("price", kind="numeric", side="item"),
    Feature("brand", side="item"),
)
TABLE_SIZES = {"user_id": 30, "item_id": 40, "category_id": 6, "shop_id": 9, "gender": 4, "brand": 7}
# Few rows, so that many items have no embedding.
SHAPES = {"image": (6, 5), "text": (5, 4)}
SMALL = {
    "embedding_dim": 4,
    "content_dim": 3,
    "user_units": (6,),
    "item_units": (5,),
    "reorder_units": (4,),
    "num_tiers": 5,
    "num_buckets": 6,
    "seed": 3,
}

Inputs = dict[str, np.ndarray]


@pytest.fixture
def vectors() -> dict[str, np.ndarray]:
    """The embeddings of the models' tables, of length 1, row 0 zeros."""
    tables = {}
    for modality, shape in SHAPES.items():
        table = np.random.default_rng(7).normal(size=shape)
        table /= np.linalg.norm(table, axis=-1, keepdims=True)
        table[0] = 0
        tables[modality] = table.astype(np.float32)
    return tables


@pytest.fixture
def make_model(vectors: dict[str, np.ndarray]) -> Callable[..., RecallModel]:
    """A model with every kind of feature on both sides; `randomize` draws all weights anew, also biases."""

    def make(fusion: str, randomize: bool = True, **settings: object) -> RecallModel:
        config = RecallConfig(**({**SMALL, "fusion": fusion} | settings))
        model = RecallModel(FEATURES, TABLE_SIZES, config, SHAPES)
        if randomize:
            rng = np.random.default_rng(5)
            model.set_weights([rng.normal(size=weight.shape) * 0.5 for weight in model.get_weights()])
        if config.uses_content:
            model.embeddings.assign(vectors)
        return model

    return make


@pytest.fixture
def make_users() -> Callable[..., Inputs]:
    """Inputs of the user's side; behaviors stand before their padding, the first user has none."""

    def make(count: int, length: int = 6, seed: int = 0) -> Inputs:
        rng = np.random.default_rng(seed)
        inputs: Inputs = {
            f"{name}_xf": rng.integers(0, TABLE_SIZES[name], count) for name in ("user_id", "gender")
        }
        inputs["hour_xf"] = rng.normal(size=count).astype(np.float32)
        is_real = np.arange(length) < rng.integers(0, length + 1, count)[:, None]
        is_real[:1] = False
        for name in ("item_id", "category_id", "shop_id"):
            ids = rng.integers(1, TABLE_SIZES[name], (count, length))
            inputs[f"behavior_{name}_xf"] = np.where(is_real, ids, 0)
        for modality, (rows, _) in SHAPES.items():
            found = rng.integers(0, rows, (count, length))
            inputs[f"behavior_{modality}_row"] = np.where(is_real, found, 0).astype(np.int32)
        return inputs

    return make


@pytest.fixture
def make_items() -> Callable[..., Inputs]:
    """Inputs of the item's side; the first item is unknown, without clicks and without content."""

    def make(count: int, seed: int = 1) -> Inputs:
        rng = np.random.default_rng(seed)
        names = ("item_id", "category_id", "shop_id", "brand")
        inputs: Inputs = {f"{name}_xf": rng.integers(0, TABLE_SIZES[name], count) for name in names}
        inputs["price_xf"] = rng.normal(size=count).astype(np.float32)
        inputs["item_clicks"] = rng.integers(0, 40, count)
        for modality, (rows, _) in SHAPES.items():
            inputs[f"{modality}_row"] = rng.integers(0, rows, count).astype(np.int32)
        for name in ("item_id_xf", "category_id_xf", "shop_id_xf", "item_clicks", "image_row", "text_row"):
            inputs[name][:1] = 0
        return inputs

    return make
