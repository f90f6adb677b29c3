"""The click-through-rate model."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from models.content.embedding_tables import EmbeddingTables
from models.ctr.addition import Addition
from models.ctr.config import CtrConfig
from models.ctr.integrations.integration import Integration
from models.ctr.integrations.make_knowledge import MakeKnowledge
from models.ctr.integrations.sim_score import SimScore
from models.ctr.integrations.sim_tiers import SimTiers
from models.ctr.integrations.vector import Vector
from models.layers.id_embedding import IdEmbedding
from models.layers.mlp import Mlp
from models.layers.split_dense import SplitDense
from models.layers.target_attention import TargetAttention
from models.make.config import MakeConfig
from transforms.configuration import from_values
from transforms.feature import Feature

# What an item and a behavior both have; a behavior's ids are looked up in the item's tables.
BEHAVIOR_FEATURES = ("item_id", "category_id", "shop_id")

Inputs = Mapping[str, tf.Tensor]


@keras.saving.register_keras_serializable(package="adlens")
class CtrModel(keras.Model):
    """Predicts the click: embeddings of IDs, DIN over the user's behaviors, what the items' pictures and texts
    add, and an MLP.

    The MLP's first layer takes the inputs of the user and those of the candidate (its features, the user's
    interest in it, what content adds) apart, so that `score` computes the user's part once.

    Args:
        features: all features of the model; `user_id`, `item_id`, `category_id` and `shop_id` are among them.
        table_sizes: rows of the table of every "id" and "bucketized" feature by its name; row 0: missing.
        config: the integration, sizes and seed. The seed becomes Keras's global one, from which the initial
            values are drawn.
        embedding_shapes: (rows, embedding_dim) of each modality's embeddings, row 0: none; empty where the
            integration is "id".
        make: the sizes of the knowledge extractor.
    Call arguments:
        inputs: transformed features by name: `<feature>_xf` int64 `[batch]` (ids, buckets) or float32
            `[batch]` (numeric), and `behavior_<feature>_xf` int64 `[batch, length]` for item, category and
            shop, 0 where padded; `<modality>_row` and `behavior_<modality>_row` as in `EmbeddingTables`.
    Returns:
        float32 `[batch]`, logits of the click.
    Raises:
        ValueError: if one of the four ids is not among the features, the size of a table is not given, or the
            integration needs embeddings and none are given.
    Source: Sheng et al. 2024 (arXiv 2407.19467), sections 2 and 4; Zhou et al. 2018 (arXiv 1706.06978).
    """

    def __init__(
        self,
        features: Sequence[Feature],
        table_sizes: Mapping[str, int],
        config: CtrConfig,
        embedding_shapes: Mapping[str, tuple[int, int]] | None = None,
        make: MakeConfig | None = None,
        **kwargs: Any,
    ) -> None:
        policy = "mixed_bfloat16" if config.mixed_precision else "float32"
        super().__init__(**({"dtype": policy} | kwargs))
        _check_features(features, table_sizes)
        if config.uses_content and not embedding_shapes:
            raise ValueError(f"integration {config.integration} needs embedding_shapes, got none")
        self.features = tuple(features)
        self.table_sizes = dict(table_sizes)
        self.config = config
        self.embedding_shapes = dict(embedding_shapes or {}) if config.uses_content else {}
        self.make = make or MakeConfig()
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
        self.embeddings = EmbeddingTables(self.embedding_shapes, name="embeddings")
        self.knowledge = self._make_knowledge() if config.uses_make else None
        self.integrations = self._make_integrations()
        dims = self.embeddings.dims
        pair_dim = sum(integration.pair_width(dims) for integration in self.integrations)
        self.attention = TargetAttention(
            config.attention_units, pair_dim=pair_dim, dtype=policy, name="attention"
        )
        self.first_dense = SplitDense(config.mlp_units[0], "relu", dtype=policy, name="first_dense")
        self.mlp = Mlp((*config.mlp_units[1:], 1), dtype=policy, name="mlp")

    def _make_knowledge(self) -> MakeKnowledge:
        sizes = self.make
        return MakeKnowledge(
            sizes.attention_units,
            sizes.mlp_units,
            sizes.projection_dim,
            dtype=self.dtype_policy,
            name="knowledge",
        )

    def _make_integrations(self) -> list[Integration]:
        config, policy = self.config, self.dtype_policy
        found: list[Integration] = []
        if config.integration == "vector":
            found.append(Vector(dtype=policy, name="vector"))
        if config.integration == "simscore":
            found.append(SimScore(dtype=policy, name="sim_score"))
        if config.integration in ("simtier", "simtier_make"):
            found.append(SimTiers(config.num_tiers, config.log_counts, dtype=policy, name="sim_tiers"))
        return [*found, self.knowledge] if self.knowledge is not None else found

    def build(self, input_shape: object = None) -> None:
        """Makes all variables; every width is known from the features, so no input has to be seen."""
        dims = self.embeddings.dims
        item_dim = len(BEHAVIOR_FEATURES) * self.config.embedding_dim
        candidate_dim = self._width("item")
        for table in self.tables.values():
            table.build()
        self.embeddings.build()
        for integration in self.integrations:
            integration.build(dims)
            item_dim += integration.item_width(dims)
            candidate_dim += integration.candidate_width(dims)
        self.attention.build((None, item_dim))
        interest_dim = item_dim + self.attention.pair_dim
        self.first_dense.build((None, self._width("user")), (None, candidate_dim + interest_dim))
        self.mlp.build((None, self.config.mlp_units[0]))
        if self.knowledge is not None and self.make.epochs and not self.config.train_make:
            # Only now: Keras freezes the variables that are there.
            self.knowledge.trainable = False
        self.built = True

    def call(self, inputs: Inputs) -> tf.Tensor:
        additions = self._integrate(inputs, inputs, shared=False)
        interest = self.attention(
            self._target(inputs, additions), *self._behaviors(inputs, additions), self._pairs(additions)
        )
        return self._logits(inputs, inputs, interest, additions)

    def score(self, user_inputs: Inputs, candidate_inputs: Inputs) -> tf.Tensor:
        """Scores many candidates for one user; equal to `call` with the user repeated for each.

        Args:
            user_inputs: the features of the user's side `[1]` and the behaviors `[1, length]`.
            candidate_inputs: the features of the item's side `[candidates]`.
        Returns:
            float32 `[candidates]`, logits of the click.
        """
        additions = self._integrate(user_inputs, candidate_inputs, shared=True)
        interest = self.attention.score(
            self._target(candidate_inputs, additions),
            *self._behaviors(user_inputs, additions),
            self._pairs(additions),
        )
        return self._logits(user_inputs, candidate_inputs, interest, additions)

    def _integrate(self, user_inputs: Inputs, candidate_inputs: Inputs, shared: bool) -> list[Addition]:
        if not self.integrations:
            return []
        contents = self.embeddings(user_inputs, candidate_inputs, shared=shared)
        return [integration(contents=contents) for integration in self.integrations]

    def _logits(
        self,
        user_inputs: Inputs,
        candidate_inputs: Inputs,
        interest: tf.Tensor,
        additions: Sequence[Addition],
    ) -> tf.Tensor:
        user = tf.concat(self._embed(user_inputs, "user"), axis=-1)
        added = [self._cast(part) for addition in additions for part in addition.candidate]
        candidate = tf.concat([*self._embed(candidate_inputs, "item"), interest, *added], axis=-1)
        return tf.cast(self.mlp(self.first_dense(user, candidate))[:, 0], tf.float32)

    def _embed(self, inputs: Inputs, side: str) -> list[tf.Tensor]:
        """One tensor `[batch, embedding_dim]`, or `[batch, 1]` for a number, for each feature of a side."""
        return [
            self.tables[feature.name](inputs[f"{feature.name}_xf"])
            if feature.kind != "numeric"
            else self._cast(inputs[f"{feature.name}_xf"])[:, None]
            for feature in self.features
            if feature.side == side
        ]

    def _target(self, inputs: Inputs, additions: Sequence[Addition]) -> tf.Tensor:
        """`[batch, attention_dim]`, the candidate as the attention compares it with behaviors."""
        ids = [self.tables[name](inputs[f"{name}_xf"]) for name in BEHAVIOR_FEATURES]
        added = [self._cast(part) for addition in additions for part in addition.target]
        return tf.concat([*ids, *added], axis=-1)

    def _behaviors(self, inputs: Inputs, additions: Sequence[Addition]) -> tuple[tf.Tensor, tf.Tensor]:
        """`[batch, length, attention_dim]`, and the padding mask `[batch, length]`."""
        ids = [self.tables[name](inputs[f"behavior_{name}_xf"]) for name in BEHAVIOR_FEATURES]
        added = [self._cast(part) for addition in additions for part in addition.behaviors]
        return tf.concat([*ids, *added], axis=-1), tf.not_equal(inputs["behavior_item_id_xf"], 0)

    def _pairs(self, additions: Sequence[Addition]) -> tf.Tensor | None:
        """`[pair_dim, batch, length]`, what is known of a candidate and a behavior together."""
        pairs = [self._cast(part) for addition in additions for part in addition.pairs]
        return tf.stack(pairs) if pairs else None

    def _cast(self, values: tf.Tensor) -> tf.Tensor:
        return tf.cast(values, self.compute_dtype)

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
            "embedding_shapes": self.embedding_shapes,
            "make": dataclasses.asdict(self.make),
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "CtrModel":
        features = [from_values(Feature, feature) for feature in config["features"]]
        configs = {
            "config": from_values(CtrConfig, config["config"]),
            "make": from_values(MakeConfig, config["make"]),
        }
        return cls(**(config | {"features": features} | configs))


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
