"""Reads <title, picture> of the catalog's items."""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf

from models.input_pipeline import shuffle_without_end
from models.parquet_files import is_there, open_parquet

_COLUMNS = ("item_id", "title", "image")
_ROWS_READ = 256


def read_titled_images(
    files: Sequence[str], created_before: int, columns: Sequence[str] = _COLUMNS
) -> Iterator[pa.RecordBatch]:
    """The items that have a title and a picture and were created before a time.

    Args:
        files: Parquet files of a catalog.
        created_before: microseconds since 1970-01-01 UTC; an item that does not say when it was created is
            left out, since nothing shows that it is old enough.
        columns: what to give.
    """
    for file in files:
        with open_parquet(file) as stream:
            for batch in stream.iter_batches(_ROWS_READ, columns=[*_COLUMNS, "created_at"]):
                yield batch.filter(_is_usable(batch, created_before)).select(list(columns))


def count_titled_images(files: Sequence[str], created_before: int) -> int:
    """How many such items there are."""
    return sum(batch.num_rows for batch in read_titled_images(files, created_before))


def read_training_items(
    files: Sequence[str], created_before: int, shuffle_buffer: int, seed: int
) -> tf.data.Dataset:
    """Items without end in an order that follows from the seed; each pass has another one.

    Args:
        files: Parquet files of a catalog, at least one usable item among them.
        created_before: see `read_titled_images`.
        shuffle_buffer: items that are held to pick the next from.
        seed: of the order.
    Returns:
        Single items: "image" and "text", string scalars, and "item_id", int32.
    """
    specs = {name: tf.TensorSpec([None], tf.string) for name in ("image", "text", "item_id")}

    return shuffle_without_end(
        files, lambda file: _plain_batches(file, created_before), specs, shuffle_buffer, seed
    )


def _is_usable(batch: pa.RecordBatch, created_before: int) -> pa.Array:
    is_old = pc.less(batch.column("created_at").cast(pa.int64()), created_before)
    # Null where it does not say when it was created, which a filter drops.
    return pc.and_(is_old, pc.and_(is_there(batch.column("title")), is_there(batch.column("image"))))


def _plain_batches(file: str, created_before: int) -> Iterator[dict[str, Any]]:
    for batch in read_titled_images([file], created_before):
        if batch.num_rows:
            item_ids, titles, images = (
                column.cast(pa.binary()).to_numpy(zero_copy_only=False) for column in batch.columns
            )
            yield {"image": images, "text": titles, "item_id": item_ids}
