"""Finds how often an item was clicked in the training days."""

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa
import tensorflow as tf

from models.content.id_table import make_id_table
from models.parquet_files import read_table
from models.recall.dataset import CLICKS
from transforms.columns import first_values

Transform = Callable[[Mapping[str, tf.SparseTensor]], Mapping[str, tf.Tensor]]


class ItemClicks(tf.Module):
    """From item ids to their clicks in the training days; 0 for an item that had none or is unknown.

    A SavedModel that holds it carries it along.

    Args:
        item_ids: string array `[items]`, without doubles.
        clicks: int64 `[items]`.
    Attributes:
        counts: int64 `[items]`, `clicks`.
    """

    def __init__(self, item_ids: pa.Array, clicks: np.ndarray) -> None:
        super().__init__()
        self.counts = clicks
        self._clicks = make_id_table(item_ids, clicks)

    @classmethod
    def read(cls, folder: str) -> "ItemClicks":
        """Reads LogIngest's item_stats, which count the training days alone.

        Raises:
            InputError: if there is no file.
        """
        table = read_table(folder, ["item_id", "clicks"], "item_stats")
        return cls(table["item_id"].combine_chunks(), table["clicks"].to_numpy())

    def find(self, item_ids: tf.Tensor) -> tf.Tensor:
        """int64 of the shape of `item_ids`."""
        # The lookup forgets the shape.
        return tf.ensure_shape(self._clicks.lookup(item_ids), item_ids.shape)

    def beside(self, transform: Transform, name: str = CLICKS) -> Transform:
        """A function that gives what `transform` gives of parsed examples, and by that name int64 `[batch]`."""
        return lambda raw: {**transform(raw), name: self.find(first_values(raw["item_id"], ""))}
