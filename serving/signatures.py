"""Exports the click-through-rate model with the signatures that serving and evaluation call."""

from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf

from models.ctr.model import BEHAVIOR_FEATURES, CtrModel
from transforms.feature import Feature

FeatureSpec = Mapping[str, tf.io.VarLenFeature | tf.io.FixedLenFeature]
TransformLayer = Callable[[Mapping[str, tf.SparseTensor]], Mapping[str, tf.Tensor]]


def save_ctr_model(
    model: CtrModel,
    transform_layer: TransformLayer,
    raw_feature_spec: FeatureSpec,
    features: Sequence[Feature],
    max_behaviors: int,
    directory: str,
    label: str = "clicked",
) -> None:
    """Writes a SavedModel that any TensorFlow loads, without this project.

    Signatures, both with {"probabilities": float32}:

    - `serving_default`: `examples`, string `[batch]`, serialized tf.Examples of raw columns; the label may be
      missing. Gives `[batch]`.
    - `score_candidates`: raw columns of one user and many candidates: the features of the user's side `[1]`,
      `behavior_item_id`, `behavior_category_id` and `behavior_shop_id` string `[1, behaviors]` (most recent
      last; of more than `max_behaviors` the last ones count), the features of the item's side `[candidates]`.
      An empty string and a NaN stand for a missing value. Gives `[candidates]`.

    Args:
        model: the trained model.
        transform_layer: TensorFlow Transform's layer, from raw columns to what the model reads.
        raw_feature_spec: parsing spec of the raw columns, as the transform's analysis had it.
        features: the model's features.
        max_behaviors: int > 0.
        directory: where to write.
        label: name of the label in `raw_feature_spec`; not an input of the signatures.
    """
    module = _CtrModule(model, transform_layer, raw_feature_spec, features, max_behaviors, label)
    tf.saved_model.save(module, directory, signatures=module.signatures())


class _CtrModule(tf.Module):
    """Holds what the exported functions use: the transform, and the model's variables without its optimizer's."""

    def __init__(
        self,
        model: CtrModel,
        transform_layer: TransformLayer,
        raw_feature_spec: FeatureSpec,
        features: Sequence[Feature],
        max_behaviors: int,
        label: str,
    ) -> None:
        super().__init__()
        self._transform_layer = transform_layer
        self._model_variables = [variable.value for variable in model.variables]
        self._specs = {name: spec for name, spec in raw_feature_spec.items() if name != label}
        self._max_behaviors = max_behaviors
        # A tracked Keras model would bring its optimizer along, so the functions below only close over it.
        self._call, self._score = model.call, model.score
        self._sides = {
            side: [feature.name for feature in features if feature.side == side] for side in ("user", "item")
        }

    def signatures(self) -> dict[str, tf.types.experimental.PolymorphicFunction]:
        """The functions by name of signature."""
        examples = tf.TensorSpec([None], tf.string, name="examples")
        return {
            "serving_default": tf.function(self._predict, input_signature=[examples]),
            "score_candidates": tf.function(self._score_candidates).get_concrete_function(
                **self._raw_columns()
            ),
        }

    def _raw_columns(self) -> dict[str, tf.TensorSpec]:
        """The inputs of `score_candidates`."""
        shapes: dict[str, tuple[int | None, ...]] = {
            **dict.fromkeys(self._sides["user"], (1,)),
            **{f"behavior_{name}": (1, None) for name in BEHAVIOR_FEATURES},
            **dict.fromkeys(self._sides["item"], (None,)),
        }
        return {
            name: tf.TensorSpec(shape, self._specs[name].dtype, name=name) for name, shape in shapes.items()
        }

    def _predict(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        raw = tf.io.parse_example(examples, self._specs)
        return {"probabilities": tf.sigmoid(self._call(self._transform_layer(raw)))}

    def _score_candidates(self, **columns: tf.Tensor) -> dict[str, tf.Tensor]:
        user = {name: _to_sparse(columns[name][:, None]) for name in self._sides["user"]}
        user |= self._behaviors(columns)
        candidates = {name: _to_sparse(columns[name][:, None]) for name in self._sides["item"]}
        num_candidates = tf.size(columns["item_id"], out_type=tf.int64)
        logits = self._score(self._transform(user, 1), self._transform(candidates, num_candidates))
        return {"probabilities": tf.sigmoid(logits)}

    def _behaviors(self, columns: Mapping[str, tf.Tensor]) -> dict[str, tf.SparseTensor]:
        """The last behaviors that have an item; a missing category or shop keeps its place among them."""
        is_real = tf.not_equal(columns["behavior_item_id"][0], "")
        behaviors = {}
        for name in (f"behavior_{name}" for name in BEHAVIOR_FEATURES):
            latest = tf.boolean_mask(columns[name][0], is_real)[-self._max_behaviors :]
            behaviors[name] = tf.RaggedTensor.from_tensor(latest[None, :]).to_sparse()
        return behaviors

    def _transform(
        self, given: Mapping[str, tf.SparseTensor], rows: int | tf.Tensor
    ) -> Mapping[str, tf.Tensor]:
        """Transforms rows of which only some columns are given; the others are missing in every row."""
        raw = {name: given.get(name, _empty(spec.dtype, rows)) for name, spec in self._specs.items()}
        return self._transform_layer(raw)


def _to_sparse(column: tf.Tensor) -> tf.SparseTensor:
    """Leaves empty strings and NaNs out."""
    if column.dtype == tf.string:
        is_there = tf.not_equal(column, "")
    elif column.dtype.is_floating:
        is_there = tf.logical_not(tf.math.is_nan(column))
    else:
        is_there = tf.ones_like(column, tf.bool)
    return tf.SparseTensor(
        tf.where(is_there), tf.boolean_mask(column, is_there), tf.shape(column, out_type=tf.int64)
    )


def _empty(dtype: tf.DType, rows: int | tf.Tensor) -> tf.SparseTensor:
    return tf.SparseTensor(
        tf.zeros([0, 2], tf.int64),
        tf.zeros([0], dtype),
        tf.stack([tf.cast(rows, tf.int64), tf.constant(0, tf.int64)]),
    )
