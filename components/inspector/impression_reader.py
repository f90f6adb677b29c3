"""The first impressions of a split, read as often as they are needed and never whole in memory."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from models.input_pipeline import without_autotune
from transforms.input_error import InputError

BATCH_SIZE = 512

_SPEC = {
    "impression_id": tf.io.FixedLenFeature([], tf.string),
    "user_id": tf.io.FixedLenFeature([], tf.string),
    "item_id": tf.io.FixedLenFeature([], tf.string),
    "clicked": tf.io.FixedLenFeature([], tf.int64),
    "item_frequency_group": tf.io.FixedLenFeature([], tf.int64),
    "behavior_item_id": tf.io.RaggedFeature(tf.string),
}


class ImpressionReader:
    """Reads tf.Examples as LogIngest writes them, always in the same order.

    Args:
        folder: holds the split's TFRecord files.
        limit: impressions, from the first on, that are read.
        batch_size: impressions that are in memory, or in a model, at once.
    Raises:
        InputError: if the folder holds no file.
    """

    def __init__(self, folder: str, limit: int, batch_size: int = BATCH_SIZE):
        self.folder = folder
        self.limit = limit
        self.batch_size = batch_size
        self._files = sorted(tf.io.gfile.glob(f"{folder}/*"))
        if not self._files:
            raise InputError(f"expected examples in {folder}, got no file")

    def predict(self, model_path: str) -> np.ndarray:
        """What a SavedModel's `serving_default` says of each.

        Returns:
            float32 `[impressions]`, probabilities of a click.
        """
        model = tf.saved_model.load(model_path)
        signature = model.signatures["serving_default"]
        found = [signature(examples=records)["probabilities"].numpy() for records in self._batches()]
        return np.concatenate([np.empty(0, np.float32), *found])

    def read_columns(self) -> dict[str, np.ndarray]:
        """What there is to pick by, `[impressions]` each: user_id, item_id (bytes), clicked,
        item_frequency_group and behaviors, the number of them (int64).
        """
        names = ("user_id", "item_id", "clicked", "item_frequency_group")
        columns: dict[str, list[np.ndarray]] = {name: [] for name in (*names, "behaviors")}
        for records in self._batches():
            parsed = tf.io.parse_example(records, _SPEC)
            for name in names:
                columns[name].append(parsed[name].numpy())
            columns["behaviors"].append(parsed["behavior_item_id"].row_lengths().numpy())
        # The empty one keeps a split without impressions from having no column.
        return {name: np.concatenate([np.empty(0, np.int64), *parts]) for name, parts in columns.items()}

    def take(self, places: list[int]) -> list[dict[str, Any]]:
        """The impressions at these places, in the order asked for.

        Returns:
            impression_id, item_id: str; clicked: bool; item_frequency_group: int; behavior_item_ids: list of str,
            most recent last.
        """
        found, start = {}, 0
        for records in self._batches():
            inside = [place for place in places if start <= place < start + len(records)]
            for place in inside:
                found[place] = _to_plain(tf.io.parse_single_example(records[place - start], _SPEC))
            start += len(records)
        return [found[place] for place in places]

    def _batches(self) -> Iterator[tf.Tensor]:
        compression = "GZIP" if self._files[0].endswith(".gz") else ""
        records = tf.data.TFRecordDataset(self._files, compression_type=compression)
        return iter(without_autotune(records.take(self.limit).batch(self.batch_size)))


def _to_plain(parsed: dict[str, tf.Tensor]) -> dict[str, Any]:
    return {
        "impression_id": parsed["impression_id"].numpy().decode(),
        "item_id": parsed["item_id"].numpy().decode(),
        "clicked": bool(parsed["clicked"].numpy()),
        "item_frequency_group": int(parsed["item_frequency_group"].numpy()),
        "behavior_item_ids": [item.decode() for item in parsed["behavior_item_id"].numpy().tolist()],
    }
