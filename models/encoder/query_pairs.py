"""Reads <query, positive, hard negative> for training and evaluation."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf

from models.input_pipeline import shuffle_without_end
from models.parquet_files import is_there, open_parquet

# Which columns are a modality's query, positive and hard negative.
COLUMNS = {
    "image": ("query_image", "positive_image", "negative_image"),
    "text": ("query_text", "positive_title", "negative_title"),
}
ITEM_ID = "positive_item_id"
_ROWS_READ = 256


def read_batches(
    files: Sequence[str], modality: str, columns: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """The pairs of a modality: those whose query and positive have it, others left out.

    Args:
        files: Parquet files of pairs.
        modality: "image" or "text".
        columns: what to read beside what says whether a pair is of the modality; None for the modality's.
    """
    query, positive, negative = COLUMNS[modality]
    wanted = [query, positive, negative, ITEM_ID] if columns is None else list(columns)
    for file in files:
        with open_parquet(file) as stream:
            names = list(dict.fromkeys([query, positive, *wanted]))
            for batch in stream.iter_batches(_ROWS_READ, columns=names):
                usable = pc.and_(is_there(batch.column(query)), is_there(batch.column(positive)))
                yield batch.filter(usable).select(wanted)


def count_pairs(files: Sequence[str], modality: str) -> int:
    """How many pairs of a modality there are."""
    return sum(batch.num_rows for batch in read_batches(files, modality, columns=[ITEM_ID]))


def read_training_pairs(
    files: Sequence[str], modality: str, shuffle_buffer: int, seed: int
) -> tf.data.Dataset:
    """Pairs without end in an order that follows from the seed; each pass has another one.

    Args:
        files: Parquet files of pairs, at least one pair of the modality among them.
        modality: "image" or "text".
        shuffle_buffer: pairs that are held to pick the next from.
        seed: of the order.
    Returns:
        Single pairs: "query", "positive", "negative" (string scalars, the last the positive once more
        where there is no negative), "has_negative" (float32, 1 or 0) and "item_id" (int32, from the positive's item).
    """
    specs = {
        **{name: tf.TensorSpec([None], tf.string) for name in ("query", "positive", "negative", "item_id")},
        "has_negative": tf.TensorSpec([None], tf.float32),
    }

    return shuffle_without_end(
        files, lambda file: _plain_batches(file, modality), specs, shuffle_buffer, seed
    )


def _plain_batches(file: str, modality: str) -> Iterator[dict[str, Any]]:
    query, positive, negative = COLUMNS[modality]
    for batch in read_batches([file], modality):
        if batch.num_rows:
            has_negative = is_there(batch.column(negative)).to_numpy(zero_copy_only=False)
            positives = _bytes(batch.column(positive))
            yield {
                "query": _bytes(batch.column(query)),
                "positive": positives,
                "negative": np.where(has_negative, _bytes(batch.column(negative)), positives),
                "has_negative": has_negative.astype(np.float32),
                "item_id": _bytes(batch.column(ITEM_ID)),
            }


def _bytes(column: pa.Array) -> np.ndarray:
    return pc.fill_null(column.cast(pa.binary()), b"").to_numpy(zero_copy_only=False)
