"""Exports the click-through-rate model with the signatures that serving and evaluation call."""

from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf

from models.content.item_index import ItemIndex
from models.ctr.model import BEHAVIOR_FEATURES, CtrModel
from serving.raw_columns import empty, one_a_row, rows_from
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
    index: ItemIndex | None = None,
    label: str = "clicked",
) -> None:
    """Writes a SavedModel that any TensorFlow loads, without this project.

    Signatures, both with {"probabilities": float32}:

    - `serving_default`: `examples`, string `[batch]`, serialized tf.Examples of raw columns; the label may be
      missing. Gives `[batch]`.
    - `score_candidates`: raw columns of one user and many candidates: the features of the user's side `[1]`,
      `behavior_item_id`, `behavior_category_id` and `behavior_shop_id` string `[1, behaviors]` (most recent
      last; of more than `max_behaviors` the last ones count), the features of the item's side `[candidates]`.
      An empty string and a NaN stand for a missing value. A model with embeddings also takes, for each of its
      modalities, `<modality>_embedding` float32 `[candidates, dim]` and `behavior_<modality>_embedding` float32
      `[1, behaviors, dim]`: what an encoder gave for the item, also for one that training never saw. Zeros
      stand for none: then the embedding that the model was saved with is taken, if it has one of that item.
      Gives `[candidates]`.

    Args:
        model: the trained model.
        transform_layer: TensorFlow Transform's layer, from raw columns to what the model reads.
        raw_feature_spec: parsing spec of the raw columns, as the transform's analysis had it.
        features: the model's features.
        max_behaviors: int > 0.
        directory: where to write.
        index: finds the embeddings of items; None for a model of IDs alone.
        label: name of the label in `raw_feature_spec`; not an input of the signatures.
    """
    module = _CtrModule(model, transform_layer, raw_feature_spec, features, max_behaviors, index, label)
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
        index: ItemIndex | None,
        label: str,
    ) -> None:
        super().__init__()
        self._transform_layer = transform_layer
        self._index = index
        self._embedding_dims = {modality: dim for modality, (_, dim) in model.embedding_shapes.items()}
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
        embeddings: dict[str, tuple[int | None, ...]] = {}
        for modality, dim in self._embedding_dims.items():
            embeddings[f"{modality}_embedding"] = (None, dim)
            embeddings[f"behavior_{modality}_embedding"] = (1, None, dim)
        columns = {name: (shape, self._specs[name].dtype) for name, shape in shapes.items()}
        columns |= {name: (shape, tf.float32) for name, shape in embeddings.items()}
        return {name: tf.TensorSpec(shape, dtype, name) for name, (shape, dtype) in columns.items()}

    def _predict(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        raw = tf.io.parse_example(examples, self._specs)
        transform = (
            self._transform_layer if self._index is None else self._index.beside(self._transform_layer)
        )
        inputs = transform(raw)
        return {"probabilities": tf.sigmoid(self._call(inputs))}

    def _score_candidates(self, **columns: tf.Tensor) -> dict[str, tf.Tensor]:
        behaviors = self._latest_behaviors(columns)
        user_inputs, candidate_inputs = self._transform(columns, behaviors)
        for modality in self._embedding_dims:
            candidate_inputs[f"{modality}_embedding"] = columns[f"{modality}_embedding"]
            user_inputs[f"behavior_{modality}_embedding"] = behaviors[f"behavior_{modality}_embedding"][None]
        if self._index is not None:
            for modality, rows in self._index.find(columns["item_id"]).items():
                candidate_inputs[f"{modality}_row"] = rows
            for modality, rows in self._index.find(behaviors["behavior_item_id"]).items():
                user_inputs[f"behavior_{modality}_row"] = rows[None]
        return {"probabilities": tf.sigmoid(self._score(user_inputs, candidate_inputs))}

    def _latest_behaviors(self, columns: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The last behaviors that have an item, `[at most max_behaviors, …]` by column.

        A user without any has one place, of nothing: TensorFlow aborts the process where a fused product of
        matrices has no column.
        """
        latest = tf.where(tf.not_equal(columns["behavior_item_id"][0], ""))[-self._max_behaviors :, 0]
        missing = tf.maximum(1 - tf.size(latest), 0)

        def take(column: tf.Tensor) -> tf.Tensor:
            return tf.pad(tf.gather(column[0], latest), [[0, missing], *[[0, 0]] * (len(column.shape) - 2)])

        # A missing category or shop keeps its place among the behaviors.
        return {name: take(column) for name, column in columns.items() if name.startswith("behavior_")}

    def _transform(
        self, columns: Mapping[str, tf.Tensor], behaviors: Mapping[str, tf.Tensor]
    ) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """Transforms the user's columns, as row 0, and the candidates', in the rows after it, at once.

        What the one side has the other lacks. Calling the transform twice would cost nearly twice as much: it is
        many small operations, which hardly take longer for more rows.
        """
        count = tf.size(columns["item_id"], out_type=tf.int64)
        length = tf.size(behaviors["behavior_item_id"], out_type=tf.int64)
        rows = 1 + count
        raw = {name: empty(spec.dtype, rows) for name, spec in self._specs.items()}
        of_user, of_candidates = tf.zeros([1, 2], tf.int64), rows_from(1, count)
        for name in self._sides["user"]:
            raw[name] = one_a_row(columns[name], of_user, rows)
        for name in self._sides["item"]:
            raw[name] = one_a_row(columns[name], of_candidates, rows)
        of_behaviors = tf.pad(tf.range(length)[:, None], [[0, 0], [1, 0]])
        for name in (f"behavior_{name}" for name in BEHAVIOR_FEATURES):
            raw[name] = tf.SparseTensor(of_behaviors, behaviors[name], tf.stack([rows, length]))
        features = self._transform_layer(raw)
        user = {
            # Nothing is computed for the places of behaviors that the user does not have.
            name: values[:1, :length] if name.startswith("behavior_") else values[:1]
            for name, values in features.items()
        }
        return user, {name: values[1:] for name, values in features.items()}
