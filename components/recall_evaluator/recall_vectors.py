"""The vectors of a recall model: of all items, and of the users of held-out clicks."""

import io
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tfx.dsl.io import fileio

from models.parquet_files import open_parquet

ITEMS_FILE = "item_vectors.parquet"
USERS_FILE = "user_vectors.parquet"

_ROWS_AT_ONCE = 65_536


@dataclass(frozen=True)
class RecallVectors:
    """What an index is built of, and what it is measured with.

    Attributes:
        item_ids: string array `[items]`.
        items: float32 `[items, dim]`.
        users: float32 `[clicks, dim]`.
        clicked: int64 `[clicks]`, the place of the clicked item.
    """

    item_ids: pa.Array
    items: np.ndarray
    users: np.ndarray
    clicked: np.ndarray

    def write(self, folder: str) -> None:
        """Writes two Parquet files."""
        fileio.makedirs(folder)
        _write(f"{folder}/{ITEMS_FILE}", "item_id", self.item_ids, self.items)
        _write(f"{folder}/{USERS_FILE}", "clicked", pa.array(self.clicked, pa.int64()), self.users)

    @classmethod
    def read(cls, folder: str) -> "RecallVectors":
        """Reads what `write` wrote."""
        item_ids, items = _read(f"{folder}/{ITEMS_FILE}", "item_id")
        clicked, users = _read(f"{folder}/{USERS_FILE}", "clicked")
        return cls(item_ids, items, users, clicked.to_numpy())


def _write(path: str, name: str, keys: pa.Array, vectors: np.ndarray) -> None:
    values = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1), pa.float32()), vectors.shape[1])
    table = pa.table({name: keys, "vector": values})
    written = io.BytesIO()
    pq.write_table(table, written, row_group_size=_ROWS_AT_ONCE)
    with fileio.open(path, "wb") as stream:
        stream.write(written.getvalue())


def _read(path: str, name: str) -> tuple[pa.Array, np.ndarray]:
    with open_parquet(path) as stream:
        table = stream.read()
    column = table["vector"].combine_chunks()
    dim = column.type.list_size
    return table[name].combine_chunks(), column.flatten().to_numpy().reshape(-1, dim)
