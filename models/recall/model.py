"""The recall model."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from models.content.content import Content
from models.content.embedding_tables import EmbeddingTables
from models.layers.click_gate import ClickGate
from models.layers.mlp import Mlp
from models.layers.replicas import gather_first, gather_own_first
from models.layers.sim_tier import SimTier
from models.recall.config import RecallConfig
from models.recall.content_expert import ContentExpert
from models.recall.dataset import CLICKS, CLICKS_BEFORE
from models.recall.id_expert import BEHAVIOR_FEATURES, IdExpert
from models.recall.sampled_softmax import reorder_loss, retrieval_loss
from transforms.configuration import from_values
from transforms.feature import Feature

Inputs = Mapping[str, tf.Tensor]


@keras.saving.register_keras_serializable(package="adlens")
class RecallModel(keras.Model):
    """Two towers, each with an expert of IDs and one of content:

        score = g_id · (u_id · v_id) + g_mm · (u_mm · v_mm) = [u_id, u_mm] · [g_id · v_id, g_mm · v_mm]

    The gates g depend on the item alone and are multiplied into its vector, so that one inner product, and one
    index, serves both experts. What no inner product can say, the histogram of the similarities between the
    user's behaviors and the item, is added when candidates are reordered.

    In training every item has at least one click, the example's own, and a table that has learned it. What counts
    as known of an item is therefore what may have been known before that click (`with_clicks_before`): it chooses
    the gate, and an item without clicks before is one whose own ID says nothing, as it will be of a new item.

    Args:
        features: all features of the model; `user_id`, `item_id`, `category_id` and `shop_id` are among them.
        table_sizes: rows of the table of every "id" and "bucketized" feature by its name; row 0: missing.
        config: the fusion, sizes and seed. The seed becomes Keras's global one, from which the initial values
            are drawn.
        embedding_shapes: (rows, embedding_dim) of each modality's embeddings, row 0: none; needed unless the
            fusion is "id".
    Call arguments:
        inputs: (the features of clicked impressions by name `[batch]`, those of the item's side of earlier ones
            `[earlier]`); see `user_vector` and `item_vector` for the names, and beside them `clicks_before` int64.
    Returns:
        float32 `[batch]`, the loss of each click.
    Raises:
        ValueError: if one of the four ids is not among the features, the size of a table is not given, or the
            fusion needs embeddings and none are given.
    Source: Alimama Tech, "Mixture of Multi-Modal Experts for Advertising Recall".
    """

    def __init__(
        self,
        features: Sequence[Feature],
        table_sizes: Mapping[str, int],
        config: RecallConfig,
        embedding_shapes: Mapping[str, tuple[int, int]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _check_features(features, table_sizes)
        if config.uses_content and not embedding_shapes:
            raise ValueError(f"fusion {config.fusion} needs embedding_shapes, got none")
        self.features = tuple(features)
        self.table_sizes = dict(table_sizes)
        self.config = config
        self.embedding_shapes = dict(embedding_shapes or {}) if config.uses_content else {}
        keras.utils.set_random_seed(config.seed)
        self._make_layers()
        self.build()

    def _make_layers(self) -> None:
        config = self.config
        self.embeddings = EmbeddingTables(self.embedding_shapes, name="embeddings")
        self.sim_tier = SimTier(config.num_tiers, log_counts=True, name="sim_tier")
        self.id_expert: IdExpert | None = None
        self.content_expert: ContentExpert | None = None
        self.gate: ClickGate | None = None
        self.tier_mlp: Mlp | None = None
        if config.uses_ids:
            self.id_expert = IdExpert(
                self.features,
                self.table_sizes,
                config.embedding_dim,
                config.user_units,
                config.item_units,
                name="id_expert",
            )
        if config.has_content_expert:
            self.content_expert = ContentExpert(
                self.embedding_shapes, config.content_dim, name="content_expert"
            )
        if config.has_gate:
            self.gate = ClickGate(2, config.num_buckets if config.is_conditional else 1, name="gate")
        if config.reorders:
            self.tier_mlp = Mlp((*config.reorder_units, 1), name="tier_mlp")

    def build(self, input_shape: object = None) -> None:
        """Makes all variables; every width is known from the features, so no input has to be seen."""
        layers = (self.embeddings, self.id_expert, self.content_expert, self.gate)
        for layer in layers:
            if layer is not None:
                layer.build()
        if self.tier_mlp is not None:
            self.tier_mlp.build((None, self.config.num_tiers * len(self.embedding_shapes)))
        self.built = True

    @property
    def vector_dim(self) -> int:
        """The length of the vectors."""
        config = self.config
        id_dim = config.embedding_dim if config.uses_ids else 0
        return id_dim + (config.content_dim if config.has_content_expert else 0)

    @property
    def user_columns(self) -> list[str]:
        """The names of the inputs of the user's side."""
        own = [f"{feature.name}_xf" for feature in self.features if feature.side == "user"]
        rows = [f"behavior_{modality}_row" for modality in self.embedding_shapes]
        return [*own, *(f"behavior_{name}_xf" for name in BEHAVIOR_FEATURES), *rows]

    @property
    def item_columns(self) -> list[str]:
        """The names of the inputs of the item's side."""
        own = [f"{feature.name}_xf" for feature in self.features if feature.side == "item"]
        return [*own, CLICKS, *(f"{modality}_row" for modality in self.embedding_shapes)]

    def user_vector(self, user_inputs: Inputs) -> tf.Tensor:
        """What a user looks for.

        Args:
            user_inputs: transformed features by name: `<feature>_xf` `[users]` of the user's side,
                `behavior_<feature>_xf` int64 `[users, length]` for item, category and shop, 0 where padded, and
                `behavior_<modality>_row` int `[users, length]` as in `EmbeddingTables`.
        Returns:
            float32 `[users, vector_dim]`.
        """
        vectors = []
        if self.id_expert is not None:
            vectors.append(self.id_expert.user(user_inputs))
        if self.content_expert is not None:
            vectors.append(self.content_expert.user(self._contents(user_inputs, {})))
        return tf.concat(vectors, axis=-1)

    def item_vector(self, item_inputs: Inputs) -> tf.Tensor:
        """What an item offers, weighed by its gates.

        Args:
            item_inputs: transformed features by name: `<feature>_xf` `[items]` of the item's side,
                `item_clicks` int64 `[items]` of the training days, `<modality>_row` int `[items]` as in
                `EmbeddingTables`.
        Returns:
            float32 `[items, vector_dim]`.
        """
        clicks = item_inputs[CLICKS]
        vectors = self._item_experts(item_inputs, clicks)
        if self.gate is not None:
            gates = tf.split(self.gate(clicks), len(vectors), axis=-1)  # [items, 1] each
            vectors = [gate * vector for gate, vector in zip(gates, vectors, strict=True)]
        return tf.concat(vectors, axis=-1)

    def reorder_score(self, user_inputs: Inputs, item_inputs: Inputs) -> tf.Tensor:
        """Every item's score for every user, with what no inner product can say.

        Args:
            user_inputs: as in `user_vector`.
            item_inputs: as in `item_vector`.
        Returns:
            float32 `[users, items]`; the inner products alone where the fusion does not reorder.
        """
        scores = tf.matmul(self.user_vector(user_inputs), self.item_vector(item_inputs), transpose_b=True)
        return scores if self.tier_mlp is None else scores + self.tier_scores(user_inputs, item_inputs)

    def tier_scores(self, user_inputs: Inputs, item_inputs: Inputs) -> tf.Tensor:
        """What the histograms of similarities add to every item's score for every user.

        Args:
            user_inputs: `behavior_<modality>_row`, and embeddings, as in `user_vector`.
            item_inputs: `<modality>_row`, and embeddings, as in `item_vector`.
        Returns:
            float32 `[users, items]`.
        Raises:
            ValueError: if the fusion does not reorder.
        """
        if self.tier_mlp is None:
            raise ValueError(f"fusion {self.config.fusion} does not reorder")
        contents = self._contents(user_inputs, item_inputs)
        tiers = tf.concat([self._tiers(content) for content in contents], axis=-1)
        users, items = tf.shape(contents[0].behaviors)[0], tf.shape(contents[0].target)[0]
        # In units of the softmax, so that what is not learned yet weighs little beside the towers.
        return self.config.temperature * tf.reshape(self.tier_mlp(tiers), [users, items])

    def call(self, inputs: tuple[Inputs, Inputs]) -> tf.Tensor:
        features, earlier = inputs
        columns = [*self.item_columns, CLICKS_BEFORE]
        items = {name: tf.concat([features[name], earlier[name]], axis=0) for name in columns}
        known = items | {CLICKS: items[CLICKS_BEFORE]}
        ids, clicks = items["item_id_xf"], items[CLICKS]
        users, vectors = self.user_vector(features), self.item_vector(known)
        # What other replicas hold of the batch and of the earlier items are negatives too.
        everything = [gather_own_first(values) for values in (vectors, ids, clicks)]
        losses = retrieval_loss(users, *everything, self.config)
        if self.tier_mlp is None:
            return losses
        batch = tf.shape(users)[0]
        return losses + self._reorder_loss(features, users, vectors[:batch], ids[:batch], clicks[:batch])

    def _reorder_loss(
        self, features: Inputs, users: tf.Tensor, vectors: tf.Tensor, ids: tf.Tensor, clicks: tf.Tensor
    ) -> tf.Tensor:
        """A scalar, the same on all replicas: some of the batch are each other's negatives, so that a step costs
        what it may."""

        def some(values: tf.Tensor) -> tf.Tensor:
            return gather_first(values, self.config.reorder_examples)

        names = [
            f"{prefix}{modality}_row" for modality in self.embedding_shapes for prefix in ("", "behavior_")
        ]
        rows = {name: some(tf.cast(features[name], tf.int64)) for name in names}
        users, vectors = some(tf.stop_gradient(users)), some(tf.stop_gradient(vectors))
        scores = tf.matmul(users, vectors, transpose_b=True) + self.tier_scores(rows, rows)
        return tf.reduce_mean(reorder_loss(scores, some(ids), some(clicks), self.config))

    def compute_loss(
        self,
        x: object = None,
        y: object = None,
        y_pred: tf.Tensor | None = None,
        sample_weight: object = None,
        training: bool = True,
    ) -> tf.Tensor:
        """The mean of what `call` gives."""
        return tf.reduce_mean(y_pred)

    def _item_experts(self, inputs: Inputs, clicks: tf.Tensor) -> list[tf.Tensor]:
        vectors = []
        if self.id_expert is not None:
            vectors.append(self.id_expert.item(inputs, clicks))
        if self.content_expert is not None:
            vectors.append(self.content_expert.item(self._contents({}, inputs)))
        return vectors

    def _contents(self, user_inputs: Inputs, item_inputs: Inputs) -> list[Content]:
        """A `Content` for each modality; a side without inputs has no rows."""
        no_users = {
            f"behavior_{modality}_row": tf.zeros([0, 0], tf.int32) for modality in self.embedding_shapes
        }
        no_items = {f"{modality}_row": tf.zeros([0], tf.int32) for modality in self.embedding_shapes}
        return self.embeddings({**no_users, **user_inputs}, {**no_items, **item_inputs})

    def _tiers(self, content: Content) -> tf.Tensor:
        """float32 `[users * items, num_tiers]`."""
        similarity = tf.matmul(content.target, content.behaviors, transpose_b=True)  # [users, items, length]
        mask = tf.logical_and(content.has_target[None, :, None], content.has_behavior[:, None, :])
        users, items, length = tf.unstack(tf.shape(mask))
        shape = [users * items, length]
        return self.sim_tier(tf.reshape(similarity, shape), tf.reshape(mask, shape))

    def get_config(self) -> dict:
        return {
            "name": self.name,
            "features": [dataclasses.asdict(feature) for feature in self.features],
            "table_sizes": self.table_sizes,
            "config": dataclasses.asdict(self.config),
            "embedding_shapes": self.embedding_shapes,
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "RecallModel":
        features = [from_values(Feature, feature) for feature in config["features"]]
        own = from_values(RecallConfig, config["config"])
        return cls(**(config | {"features": features, "config": own}))


def _check_features(features: Sequence[Feature], table_sizes: Mapping[str, int]) -> None:
    sides = {feature.name: feature.side for feature in features}
    for name, side in {"user_id": "user", **dict.fromkeys(BEHAVIOR_FEATURES, "item")}.items():
        if sides.get(name) != side:
            raise ValueError(f"{name} must be a feature of the {side}'s side, got {sides}")
    for feature in features:
        if feature.kind != "numeric" and feature.name not in table_sizes:
            raise ValueError(f"table_sizes must name the table of {feature.name}, got {sorted(table_sizes)}")
