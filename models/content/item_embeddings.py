"""Reads the embeddings of a catalog."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.parquet_files import read_table
from transforms.input_error import InputError


@dataclass(frozen=True)
class ItemEmbeddings:
    """The embeddings of a catalog, each modality's as a table whose row 0 stands for none.

    Attributes:
        item_ids: string array `[items]`.
        rows: int32 `[items]` by modality, the row of an item's embedding, 0 where it has none.
        vectors: float32 `[rows, dim]` by modality, of length 1; row 0 is zeros.
    """

    item_ids: pa.Array
    rows: dict[str, np.ndarray]
    vectors: dict[str, np.ndarray]

    @classmethod
    def read(cls, folder: str, modalities: Sequence[str]) -> "ItemEmbeddings":
        """Reads the files that CatalogEmbedder wrote.

        Args:
            folder: holds `embeddings-*.parquet`.
            modalities: "image", "text" or both.
        Raises:
            InputError: if a modality has no embedding at all, or embeddings of several sizes.
        """
        columns = ["item_id", *(f"{modality}_embedding" for modality in modalities)]
        table = read_table(folder, columns, "embeddings")
        found = {name: _rows_and_vectors(table[f"{name}_embedding"], name) for name in modalities}
        return cls(
            table["item_id"].combine_chunks(),
            {name: rows for name, (rows, _) in found.items()},
            {name: vectors for name, (_, vectors) in found.items()},
        )

    @property
    def shapes(self) -> dict[str, tuple[int, int]]:
        """(rows, embedding_dim) of each modality."""
        return {name: vectors.shape for name, vectors in self.vectors.items()}


def _rows_and_vectors(column: pa.ChunkedArray, modality: str) -> tuple[np.ndarray, np.ndarray]:
    is_there = column.is_valid().to_numpy()
    lists = column.drop_null()
    sizes = pc.unique(pc.list_value_length(lists)).to_pylist()
    if not sizes:
        raise InputError(
            f"no item has an embedding of its {modality}; leave {modality} out of ctr.modalities and recall.modalities"
        )
    if len(sizes) > 1:
        raise InputError(f"the {modality} embeddings must be of one size, got {sorted(sizes)}")
    vectors = np.zeros((1 + len(lists), sizes[0]), np.float32)
    start = 1
    for chunk in lists.chunks:
        vectors[start : start + len(chunk)] = chunk.flatten().to_numpy().reshape(len(chunk), sizes[0])
        start += len(chunk)
    return np.where(is_there, np.cumsum(is_there), 0).astype(np.int32), vectors
