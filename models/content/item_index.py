"""Finds an item's embeddings by its id."""

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa
import tensorflow as tf

from models.content.id_table import make_id_table
from transforms.columns import first_values, last_values

Transform = Callable[[Mapping[str, tf.SparseTensor]], Mapping[str, tf.Tensor]]


class ItemIndex(tf.Module):
    """From item ids to the rows of each modality's embeddings; 0 for an item that has none.

    An impression carries ids alone; this is how training, evaluation and serving come from them to the
    embeddings, of items too that the training days never saw. A SavedModel that holds it carries it along.

    Args:
        item_ids: string array `[items]`, without doubles.
        rows: int32 `[items]` by modality.
        max_behaviors: int > 0. Of a longer sequence the last ones count.
    """

    def __init__(self, item_ids: pa.Array, rows: Mapping[str, np.ndarray], max_behaviors: int) -> None:
        super().__init__()
        self.max_behaviors = max_behaviors
        # Place 0 is that of an unknown item.
        self._places = make_id_table(item_ids, np.arange(1, 1 + len(item_ids)))
        self._rows = {
            name: tf.Variable(np.append(np.int32(0), column), trainable=False, name=f"{name}_rows")
            for name, column in rows.items()
        }

    def find(self, item_ids: tf.Tensor) -> dict[str, tf.Tensor]:
        """The rows by modality, int32 of the shape of `item_ids`."""
        # The lookup forgets the shape.
        places = tf.ensure_shape(self._places.lookup(item_ids), item_ids.shape)
        return {name: tf.gather(rows, places) for name, rows in self._rows.items()}

    def beside(self, transform: Transform) -> Transform:
        """A function that gives what `transform` gives of parsed examples, and their rows."""
        return lambda raw: {**transform(raw), **self.find_in_examples(raw)}

    def find_in_examples(self, raw: Mapping[str, tf.SparseTensor]) -> dict[str, tf.Tensor]:
        """The rows of examples' items and behaviors.

        Args:
            raw: `item_id`, `behavior_item_id` or both, as parsed.
        Returns:
            `<modality>_row` int32 `[batch]` and `behavior_<modality>_row` int32 `[batch, max_behaviors]`,
            each behavior where the transform puts its ids, padded with 0 at the end.
        """
        found: dict[str, tf.Tensor] = {}
        if "item_id" in raw:
            for name, rows in self.find(first_values(raw["item_id"], "")).items():
                found[f"{name}_row"] = rows
        if "behavior_item_id" in raw:
            behaviors = raw["behavior_item_id"]
            for name, rows in self.find(behaviors.values).items():
                column = tf.SparseTensor(behaviors.indices, rows, behaviors.dense_shape)
                found[f"behavior_{name}_row"] = last_values(column, self.max_behaviors)
        return found
