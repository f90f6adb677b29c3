"""Which items have a vector already, small enough to send to every worker."""

from collections.abc import Iterable

import apache_beam as beam
import numpy as np
import pyarrow as pa

from transforms.record_batches import stable_hash


class KnownContents:
    """Hashes of items and of the contents that their vectors were made from: 16 bytes an item.

    Where two items have the same hash only one of them is known, and the other is encoded once more.

    Args:
        items: uint64 `[n]`, hashes of item ids.
        contents: int64 `[n]`, hashes of their contents.
    """

    def __init__(self, items: np.ndarray, contents: np.ndarray):
        order = np.argsort(items, kind="stable")
        self.items = items[order]
        self.contents = contents[order]

    def holds(self, item_ids: pa.Array, contents: pa.Array) -> np.ndarray:
        """Whether an item has a vector of this very content. bool `[n]`; False for a null content."""
        if not len(self.items):
            return np.zeros(len(item_ids), bool)
        items = stable_hash(item_ids)
        places = np.minimum(np.searchsorted(self.items, items), len(self.items) - 1)
        same_content = self.contents[places] == contents.fill_null(0).to_numpy()
        return (
            (self.items[places] == items) & same_content & contents.is_valid().to_numpy(zero_copy_only=False)
        )


class JoinKnown(beam.CombineFn):
    """Joins record batches of vectors to one `KnownContents`."""

    def create_accumulator(self) -> list[tuple[np.ndarray, np.ndarray]]:
        return []

    def add_input(self, accumulator: list, batch: pa.RecordBatch) -> list:
        return [*accumulator, (stable_hash(batch.column("item_id")), batch.column("content_hash").to_numpy())]

    def merge_accumulators(self, accumulators: Iterable[list]) -> list:
        return [part for accumulator in accumulators for part in accumulator]

    def extract_output(self, accumulator: list) -> KnownContents:
        if not accumulator:
            return KnownContents(np.empty(0, np.uint64), np.empty(0, np.int64))
        items, contents = zip(*accumulator, strict=True)
        return KnownContents(np.concatenate(items), np.concatenate(contents))
