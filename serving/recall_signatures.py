"""Exports the recall model with the signatures that retrieval calls."""

from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf

from models.content.item_index import ItemIndex
from models.recall.item_clicks import ItemClicks
from models.recall.model import BEHAVIOR_FEATURES, CLICKS, RecallModel
from serving.raw_columns import empty, one_a_row, rows_from
from serving.recall_names import ITEM_VECTOR, ITEM_VECTORS, REORDER, SCORE, USER_VECTOR
from transforms.feature import Feature

FeatureSpec = Mapping[str, tf.io.VarLenFeature | tf.io.FixedLenFeature]
TransformLayer = Callable[[Mapping[str, tf.SparseTensor]], Mapping[str, tf.Tensor]]
Signatures = dict[str, tf.types.experimental.PolymorphicFunction]


class RecallModule(tf.Module):
    """What serving calls of a recall model, as functions of raw columns.

    It holds the transform and the model's variables without its optimizer's.

    Args:
        model: the trained model.
        transform_layer: TensorFlow Transform's layer, from raw columns to what the model reads.
        raw_feature_spec: parsing spec of the raw columns, as the transform's analysis had it, without the label.
        features: the model's features.
        max_behaviors: int > 0. Of more behaviors the last ones count.
        clicks: the items' clicks of the training days.
        index: finds the embeddings of items; None for a model of IDs alone.
    """

    def __init__(
        self,
        model: RecallModel,
        transform_layer: TransformLayer,
        raw_feature_spec: FeatureSpec,
        features: Sequence[Feature],
        max_behaviors: int,
        clicks: ItemClicks,
        index: ItemIndex | None = None,
    ) -> None:
        super().__init__()
        self._transform_layer = transform_layer
        self._specs = raw_feature_spec
        self._max_behaviors = max_behaviors
        self._clicks = clicks
        self._index = index
        self._embedding_dims = {modality: dim for modality, (_, dim) in model.embedding_shapes.items()}
        self._reorders = model.config.reorders
        self._model_variables = [variable.value for variable in model.variables]
        # A tracked Keras model would bring its optimizer along, so the functions below only close over it.
        self._user_vector, self._item_vector = model.user_vector, model.item_vector
        self._tier_scores = model.tier_scores
        self._sides = {
            side: [feature.name for feature in features if feature.side == side] for side in ("user", "item")
        }

    def signatures(self) -> Signatures:
        """The functions by name of signature; see `save_recall_model`."""
        specs = {"serving_default": (self._embed_users, self._user_columns())}
        specs[ITEM_VECTORS] = (self._embed_items, self._item_columns())
        if self._reorders:
            specs[REORDER] = (self._reorder, self._reorder_columns())
        return {
            name: tf.function(function).get_concrete_function(**columns)
            for name, (function, columns) in specs.items()
        }

    def _user_columns(self) -> dict[str, tf.TensorSpec]:
        own = {name: self._column(name, None) for name in self._sides["user"]}
        behaviors = {
            f"behavior_{name}": self._column(f"behavior_{name}", None, None) for name in BEHAVIOR_FEATURES
        }
        return own | behaviors | self._new_items()

    def _item_columns(self) -> dict[str, tf.TensorSpec]:
        own = {name: self._column(name, None) for name in self._sides["item"]}
        embeddings = {f"{modality}_embedding": (None, dim) for modality, dim in self._embedding_dims.items()}
        return own | {name: tf.TensorSpec(shape, tf.float32, name) for name, shape in embeddings.items()}

    def _reorder_columns(self) -> dict[str, tf.TensorSpec]:
        return {
            "behavior_item_id": tf.TensorSpec([1, None], tf.string, "behavior_item_id"),
            "item_id": tf.TensorSpec([None], tf.string, "item_id"),
            SCORE: tf.TensorSpec([None], tf.float32, SCORE),
        } | self._new_items()

    def _new_items(self) -> dict[str, tf.TensorSpec]:
        if not self._embedding_dims:
            return {}
        embeddings = {f"new_{modality}_embedding": dim for modality, dim in self._embedding_dims.items()}
        return {
            "new_item_id": tf.TensorSpec([None], tf.string, "new_item_id"),
            **{name: tf.TensorSpec([None, dim], tf.float32, name) for name, dim in embeddings.items()},
        }

    def _column(self, name: str, *shape: int | None) -> tf.TensorSpec:
        return tf.TensorSpec(shape, self._specs[name].dtype, name)

    def _embed_users(self, **columns: tf.Tensor) -> dict[str, tf.Tensor]:
        behaviors = self._latest_behaviors(columns)
        raw = self._one_a_row("user", columns)
        raw |= {name: behavior.to_sparse() for name, behavior in behaviors.items()}
        item_ids = _to_dense(behaviors["behavior_item_id"])
        length = tf.shape(item_ids)[1]
        inputs = {
            # Nothing is computed for places of behaviors that no user has.
            name: values[:, :length] if name.startswith("behavior_") else values
            for name, values in self._transform_layer(raw).items()
        }
        inputs |= self._saved_content("behavior_", item_ids)
        inputs |= self._new_content("behavior_", item_ids, columns)
        return {USER_VECTOR: self._user_vector(inputs)}

    def _embed_items(self, **columns: tf.Tensor) -> dict[str, tf.Tensor]:
        item_ids = columns["item_id"]
        inputs = dict(self._transform_layer(self._one_a_row("item", columns)))
        inputs[CLICKS] = self._clicks.find(item_ids)
        if self._index is not None:
            inputs |= self._saved_content("", item_ids)
            inputs |= {name: columns[name] for name in columns if name.endswith("_embedding")}
        return {ITEM_VECTOR: self._item_vector(inputs)}

    def _reorder(self, **columns: tf.Tensor) -> dict[str, tf.Tensor]:
        # Most requests bring no embeddings; asking for each candidate's costs as much as a third of the rest.
        added = tf.cond(
            tf.size(columns["new_item_id"]) > 0,
            lambda: self._added_scores(columns, with_new=True),
            lambda: self._added_scores(columns, with_new=False),
        )
        return {SCORE: columns[SCORE] + added}

    def _added_scores(self, columns: Mapping[str, tf.Tensor], with_new: bool) -> tf.Tensor:
        """What the histograms add to the candidates' scores, float32 `[candidates]`."""
        behaviors = _to_dense(self._latest_behaviors(columns)["behavior_item_id"])
        item_ids = columns["item_id"]
        user_inputs = self._saved_content("behavior_", behaviors)
        item_inputs = self._saved_content("", item_ids)
        if with_new:
            user_inputs |= self._new_content("behavior_", behaviors, columns)
            item_inputs |= self._new_content("", item_ids, columns)
        return self._tier_scores(user_inputs, item_inputs)[0]

    def _one_a_row(self, side: str, columns: Mapping[str, tf.Tensor]) -> dict[str, tf.SparseTensor]:
        """What the transform takes: the columns of one side; all others are empty."""
        rows = tf.size(columns[self._sides[side][0]], out_type=tf.int64)
        indices = rows_from(0, rows)
        raw = {name: empty(spec.dtype, rows) for name, spec in self._specs.items()}
        return raw | {name: one_a_row(columns[name], indices, rows) for name in self._sides[side]}

    def _latest_behaviors(self, columns: Mapping[str, tf.Tensor]) -> dict[str, tf.RaggedTensor]:
        """The last behaviors that have an item; a missing category or shop keeps its place among them."""
        is_there = tf.not_equal(columns["behavior_item_id"], "")
        return {
            name: tf.ragged.boolean_mask(column, is_there)[:, -self._max_behaviors :]
            for name, column in columns.items()
            if name.startswith("behavior_")
        }

    def _saved_content(self, prefix: str, item_ids: tf.Tensor) -> dict[str, tf.Tensor]:
        """The rows of items' embeddings."""
        found = {} if self._index is None else self._index.find(item_ids)
        return {f"{prefix}{modality}_row": rows for modality, rows in found.items()}

    def _new_content(
        self, prefix: str, item_ids: tf.Tensor, columns: Mapping[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """The embeddings that the request brings of items; zeros of those of which it brings none."""
        if not self._embedding_dims:
            return {}
        new_ids = columns["new_item_id"]
        is_new = tf.logical_and(tf.equal(item_ids[..., None], new_ids), tf.not_equal(new_ids, ""))
        # Place 0 is that of an item which the request says nothing of. An empty maximum is the least number.
        places = tf.maximum(
            tf.reduce_max(tf.cast(is_new, tf.int32) * (1 + tf.range(tf.size(new_ids))), axis=-1), 0
        )
        given = {
            modality: tf.pad(columns[f"new_{modality}_embedding"], [[1, 0], [0, 0]])
            for modality in self._embedding_dims
        }
        return {f"{prefix}{modality}_embedding": tf.gather(each, places) for modality, each in given.items()}


def save_recall_model(module: RecallModule, directory: str) -> None:
    """Writes a SavedModel that any TensorFlow loads, without this project.

    Inputs are raw columns; an empty string and a NaN stand for a missing value. Signatures:

    - `serving_default`: the features of the user's side `[users]`, and `behavior_item_id`,
      `behavior_category_id` and `behavior_shop_id` string `[users, behaviors]` (most recent last; places of an
      empty item id are left out; of more than the configured number the last ones count). Gives `user_vector`
      float32 `[users, dim]`.
    - `item_vectors`: the features of the item's side `[items]`, and of each modality `<modality>_embedding`
      float32 `[items, embedding_dim]`, what an encoder gave for the item; zeros stand for none: then the
      embedding that the model was saved with is taken, if it has one. Gives `item_vector` float32
      `[items, dim]`, whose inner product with a user's vector is the score.
    - `reorder`, of a model that has the feature fusion: `behavior_item_id` string `[1, behaviors]` of one user,
      `item_id` string and `score` float32 `[candidates]`, the inner products of the first stage. Gives `score`
      float32 `[candidates]`.

    A model with embeddings takes in the first and the last also `new_item_id` string `[new]` and
    `new_<modality>_embedding` float32 `[new, embedding_dim]`: embeddings of items among the behaviors and the
    candidates that the model was not saved with, or that have changed. A request says them once, and only of such
    items.

    Args:
        module: functions over the trained model.
        directory: where to write.
    """
    tf.saved_model.save(module, directory, signatures=module.signatures())


def _to_dense(item_ids: tf.RaggedTensor) -> tf.Tensor:
    """Strings `[users, behaviors]`, of at least one place: TensorFlow aborts the process where a fused product of
    matrices has no column."""
    dense = item_ids.to_tensor("")
    return tf.pad(dense, [[0, 0], [0, tf.maximum(1 - tf.shape(dense)[1], 0)]], constant_values="")
