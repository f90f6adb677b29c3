"""The ID-based click-through-rate model."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from models.ctr.config import CtrConfig
from models.layers.id_embedding import IdEmbedding
from models.layers.mlp import Mlp
from models.layers.split_dense import SplitDense
from models.layers.target_attention import TargetAttention
from transforms.configuration import from_values
from transforms.feature import Feature

# What an item and a behavior both have; a behavior's ids are looked up in the item's tables.
BEHAVIOR_FEATURES = ("item_id", "category_id", "shop_id")

Inputs = Mapping[str, tf.Tensor]


@keras.saving.register_keras_serializable(package="adlens")
class CtrModel(keras.Model):
    """Predicts the click from IDs: embeddings, DIN over the user's behaviors, and an MLP.

    The MLP's first layer takes the inputs of the user and those of the candidate (its features and the user's
    interest in it) apart, so that `score` computes the user's part once.

    Args:
        features: all features of the model; `user_id`, `item_id`, `category_id` and `shop_id` are among them.
        table_sizes: rows of the table of every "id" and "bucketized" feature by its name; row 0: missing.
        config: sizes and seed. The seed becomes Keras's global one, from which the initial values are drawn.
    Call arguments:
        inputs: transformed features by name: `<feature>_xf` int64 `[batch]` (ids, buckets) or float32
            `[batch]` (numeric), and `behavior_<feature>_xf` int64 `[batch, length]` for item, category and
            shop, 0 where padded.
    Returns:
        float32 `[batch]`, logits of the click.
    Raises:
        ValueError: if one of the four ids is not among the features, or the size of a table is not given.
    Source: Sheng et al. 2024 (arXiv 2407.19467), section 2; Zhou et al. 2018 (arXiv 1706.06978).
    """

    def __init__(
        self, features: Sequence[Feature], table_sizes: Mapping[str, int], config: CtrConfig, **kwargs: Any
    ) -> None:
        policy = "mixed_bfloat16" if config.mixed_precision else "float32"
        super().__init__(**({"dtype": policy} | kwargs))
        _check_features(features, table_sizes)
        self.features = tuple(features)
        self.table_sizes = dict(table_sizes)
        self.config = config
        keras.utils.set_random_seed(config.seed)
        self._make_layers()
        self.build()

    def _make_layers(self) -> None:
        config, policy = self.config, self.dtype_policy
        self.tables = {
            feature.name: IdEmbedding(
                self.table_sizes[feature.name],
                config.embedding_dim,
                dtype=policy,
                name=f"{feature.name}_table",
            )
            for feature in self.features
            if feature.kind != "numeric"
        }
        self.attention = TargetAttention(config.attention_units, dtype=policy, name="attention")
        self.first_dense = SplitDense(config.mlp_units[0], "relu", dtype=policy, name="first_dense")
        self.mlp = Mlp((*config.mlp_units[1:], 1), dtype=policy, name="mlp")

    def build(self, input_shape: object = None) -> None:
        """Makes all variables; every width is known from the features, so no input has to be seen."""
        item_dim = len(BEHAVIOR_FEATURES) * self.config.embedding_dim
        for table in self.tables.values():
            table.build()
        self.attention.build((None, item_dim), (None, None, item_dim), (None, None))
        self.first_dense.build((None, self._width("user")), (None, self._width("item") + item_dim))
        self.mlp.build((None, self.config.mlp_units[0]))
        self.built = True

    def call(self, inputs: Inputs) -> tf.Tensor:
        interest = self.attention(self._target(inputs), *self._behaviors(inputs))
        return self._logits(inputs, inputs, interest)

    def score(self, user_inputs: Inputs, candidate_inputs: Inputs) -> tf.Tensor:
        """Scores many candidates for one user; equal to `call` with the user repeated for each.

        Args:
            user_inputs: the features of the user's side `[1]` and the behaviors `[1, length]`.
            candidate_inputs: the features of the item's side `[candidates]`.
        Returns:
            float32 `[candidates]`, logits of the click.
        """
        interest = self.attention.score(self._target(candidate_inputs), *self._behaviors(user_inputs))
        return self._logits(user_inputs, candidate_inputs, interest)

    def _logits(self, user_inputs: Inputs, candidate_inputs: Inputs, interest: tf.Tensor) -> tf.Tensor:
        user = tf.concat(self._embed(user_inputs, "user"), axis=-1)
        candidate = tf.concat([*self._embed(candidate_inputs, "item"), interest], axis=-1)
        return tf.cast(self.mlp(self.first_dense(user, candidate))[:, 0], tf.float32)

    def _embed(self, inputs: Inputs, side: str) -> list[tf.Tensor]:
        """One tensor `[batch, embedding_dim]`, or `[batch, 1]` for a number, for each feature of a side."""
        return [
            self.tables[feature.name](inputs[f"{feature.name}_xf"])
            if feature.kind != "numeric"
            else tf.cast(inputs[f"{feature.name}_xf"], self.compute_dtype)[:, None]
            for feature in self.features
            if feature.side == side
        ]

    def _target(self, inputs: Inputs) -> tf.Tensor:
        """`[batch, 3 * embedding_dim]`, the candidate as the attention compares it with behaviors."""
        return tf.concat([self.tables[name](inputs[f"{name}_xf"]) for name in BEHAVIOR_FEATURES], axis=-1)

    def _behaviors(self, inputs: Inputs) -> tuple[tf.Tensor, tf.Tensor]:
        """`[batch, length, 3 * embedding_dim]`, and the padding mask `[batch, length]`."""
        parts = [self.tables[name](inputs[f"behavior_{name}_xf"]) for name in BEHAVIOR_FEATURES]
        return tf.concat(parts, axis=-1), tf.not_equal(inputs["behavior_item_id_xf"], 0)

    def _width(self, side: str) -> int:
        return sum(
            1 if feature.kind == "numeric" else self.config.embedding_dim
            for feature in self.features
            if feature.side == side
        )

    def get_config(self) -> dict:
        return {
            "name": self.name,
            "features": [dataclasses.asdict(feature) for feature in self.features],
            "table_sizes": self.table_sizes,
            "config": dataclasses.asdict(self.config),
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "CtrModel":
        features = [from_values(Feature, feature) for feature in config["features"]]
        return cls(**(config | {"features": features, "config": from_values(CtrConfig, config["config"])}))


def _check_features(features: Sequence[Feature], table_sizes: Mapping[str, int]) -> None:
    sides = {feature.name: feature.side for feature in features}
    for name, side in {
        "user_id": "user",
        "item_id": "item",
        "category_id": "item",
        "shop_id": "item",
    }.items():
        if sides.get(name) != side:
            raise ValueError(f"{name} must be a feature of the {side}'s side, got {sides}")
    for feature in features:
        if feature.kind != "numeric" and feature.name not in table_sizes:
            raise ValueError(f"table_sizes must name the table of {feature.name}, got {sorted(table_sizes)}")
