"""Fetches the rows of a few items out of files of many."""

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from models.parquet_files import list_files, open_parquet

# Pictures are large, and a batch of them is in memory at once.
_ROWS_AT_ONCE = 256


def read_item_rows(folder: str, item_ids: Iterable[str], columns: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Reads the rows of these items; one that no file has is left out.

    The ids of a row group say whether the rest of it is read at all.

    Args:
        folder: holds Parquet files with `item_id`, an item at most once.
        item_ids: the items.
        columns: what to read of them.
    Returns:
        The columns by item id.
    """
    missing = set(item_ids)
    found: dict[str, dict[str, Any]] = {}
    for file in list_files(folder):
        with open_parquet(file) as stream:
            for group in range(stream.num_row_groups):
                if not missing:
                    return found
                found |= _read_row_group(stream, group, missing, columns)
                missing -= found.keys()
    return found


def _read_row_group(
    stream: pq.ParquetFile, group: int, item_ids: set[str], columns: Sequence[str]
) -> dict[str, dict[str, Any]]:
    wanted = pa.array(sorted(item_ids), pa.string())
    ids = stream.read_row_group(group, ["item_id"])["item_id"]
    if not pc.any(pc.is_in(ids, wanted)).as_py():
        return {}
    batches = stream.iter_batches(_ROWS_AT_ONCE, row_groups=[group], columns=["item_id", *columns])
    rows = (row for batch in batches for row in batch.filter(pc.is_in(batch["item_id"], wanted)).to_pylist())
    return {row.pop("item_id"): row for row in rows}
