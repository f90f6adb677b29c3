"""The expert that knows users and items by their IDs."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from models.layers.id_embedding import IdEmbedding
from models.layers.mlp import Mlp
from models.recall.masked_mean import masked_mean
from transforms.feature import Feature

# What an item and a behavior both have; a behavior's ids are looked up in the item's tables.
BEHAVIOR_FEATURES = ("item_id", "category_id", "shop_id")

Inputs = Mapping[str, tf.Tensor]


class IdExpert(keras.layers.Layer):
    """Two towers over embeddings of IDs: profile, context and behaviors of the user; features of the item.

    The embedding of an item's own ID counts only where the item has clicks to learn it from; without any, an item
    is what its category, shop and other features say.

    Args:
        features: all features of the model.
        table_sizes: rows of the table of every "id" and "bucketized" feature by its name.
        embedding_dim: int > 0, of an ID and of the vectors.
        user_units: widths of the user tower's hidden layers.
        item_units: widths of the item tower's.
    """

    def __init__(
        self,
        features: Sequence[Feature],
        table_sizes: Mapping[str, int],
        embedding_dim: int,
        user_units: tuple[int, ...],
        item_units: tuple[int, ...],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.features = tuple(features)
        self.embedding_dim = embedding_dim
        self.tables = {
            feature.name: IdEmbedding(table_sizes[feature.name], embedding_dim, name=f"{feature.name}_table")
            for feature in self.features
            if feature.kind != "numeric"
        }
        self.user_tower = Mlp((*user_units, embedding_dim), name="user_tower")
        self.item_tower = Mlp((*item_units, embedding_dim), name="item_tower")

    def build(self, input_shape: object = None) -> None:
        for table in self.tables.values():
            table.build()
        behavior_dim = len(BEHAVIOR_FEATURES) * self.embedding_dim
        self.user_tower.build((None, self._width("user") + behavior_dim))
        self.item_tower.build((None, self._width("item")))
        self.built = True

    def user(self, inputs: Inputs) -> tf.Tensor:
        """float32 `[users, embedding_dim]` of transformed features by name."""
        ids = [self.tables[name](inputs[f"behavior_{name}_xf"]) for name in BEHAVIOR_FEATURES]
        behaviors = masked_mean(tf.concat(ids, axis=-1), tf.not_equal(inputs["behavior_item_id_xf"], 0))
        parts = [self._embed(feature, inputs) for feature in self.features if feature.side == "user"]
        return self.user_tower(tf.concat([*parts, behaviors], axis=-1))

    def item(self, inputs: Inputs, clicks: tf.Tensor) -> tf.Tensor:
        """float32 `[items, embedding_dim]` of transformed features by name and int64 `[items]` clicks."""
        parts = [self._embed(feature, inputs) for feature in self.features if feature.side == "item"]
        own = [feature.name for feature in self.features if feature.side == "item"].index("item_id")
        parts[own] *= tf.cast(clicks[:, None] > 0, parts[own].dtype)
        return self.item_tower(tf.concat(parts, axis=-1))

    def _embed(self, feature: Feature, inputs: Inputs) -> tf.Tensor:
        """`[batch, embedding_dim]`, or `[batch, 1]` of a number."""
        values = inputs[f"{feature.name}_xf"]
        if feature.kind == "numeric":
            return tf.cast(values, self.compute_dtype)[:, None]
        return self.tables[feature.name](values)

    def _width(self, side: str) -> int:
        return sum(
            1 if feature.kind == "numeric" else self.embedding_dim
            for feature in self.features
            if feature.side == side
        )
