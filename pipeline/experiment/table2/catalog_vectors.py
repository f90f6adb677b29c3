"""The vectors that an encoder gives a catalog."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf

from models.content.item_embeddings import ItemEmbeddings
from models.encoder.bytes_encoder import BytesEncoder
from models.parquet_files import is_there, open_parquet

_COLUMNS = {"image": "image", "text": "title"}


def encode_catalog(encoder: BytesEncoder, files: Sequence[str], batch_size: int) -> np.ndarray:
    """Encodes every item that has what the encoder reads.

    Args:
        encoder: of pictures or titles.
        files: the catalog's Parquet files.
        batch_size: items that are encoded at once.
    Returns:
        float32 `[items, dim]`, in the order of the files; zeros where an item has no picture or title.
    """
    column = _COLUMNS[encoder.modality]
    masks, found = [], []
    for batch in _read(files, column, batch_size):
        known = is_there(batch.column(column))
        masks.append(known.to_numpy(zero_copy_only=False))
        values = batch.column(column).filter(known).cast(pa.binary())
        if len(values):
            found.append(encoder(tf.constant(values.to_numpy(zero_copy_only=False), tf.string)).numpy())
    vectors = np.concatenate(found)
    table = np.zeros((sum(map(len, masks)), vectors.shape[1]), np.float32)
    table[np.concatenate(masks)] = vectors
    return table


def to_tables(
    vectors: np.ndarray, files: Sequence[str], embeddings: ItemEmbeddings, modality: str
) -> dict[str, np.ndarray]:
    """Puts vectors into the rows in which a run's own embeddings stand.

    Args:
        vectors: of `encode_catalog`.
        files: the catalog's Parquet files.
        embeddings: the run's own.
        modality: of the vectors.
    Returns:
        float32 `[rows, dim]` by modality.
    """
    ids = pa.concat_arrays([batch.column("item_id") for batch in _read(files, "item_id", 65_536)])
    places = pc.index_in(embeddings.item_ids, value_set=ids).to_numpy()
    rows = embeddings.rows[modality]
    table = np.zeros((len(embeddings.vectors[modality]), vectors.shape[1]), np.float32)
    table[rows[rows > 0]] = vectors[places[rows > 0]]
    return {modality: table}


def _read(files: Sequence[str], column: str, rows: int) -> Iterator[pa.RecordBatch]:
    for file in files:
        with open_parquet(file) as stream:
            yield from stream.iter_batches(rows, columns=[column])
