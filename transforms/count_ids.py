"""How often each id comes in a day's examples."""

from collections.abc import Iterable, Iterator, Mapping

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.record_batches import concat, pack, split_by, stable_hash, unpack

_SHARDS = 16


class CountIds(beam.PTransform):
    """Counts the ids of columns; within a batch, then over all.

    Args:
        columns: by name, the columns whose ids are counted together.
    Call arguments:
        A collection of record batches of examples, each column a list of bytes a row.
    Returns:
        A collection of ((name, shard), batch), a batch with columns id (binary) and count (int64). All of an id is
        in one of them, each id once.
    """

    def __init__(self, columns: Mapping[str, tuple[str, ...]]):
        super().__init__()
        self.columns = dict(columns)

    def expand(self, examples: beam.PCollection) -> beam.PCollection:
        return (
            examples
            | "CountInBatch" >> beam.FlatMap(_count_in_batch, self.columns)
            | "GroupByShard" >> beam.GroupByKey()
            | "SumCounts" >> beam.MapTuple(_sum_counts)
        )


def _count_in_batch(
    batch: pa.RecordBatch, columns: dict[str, tuple[str, ...]]
) -> Iterator[tuple[tuple[str, int], bytes]]:
    for name, parts in columns.items():
        ids = [pc.list_flatten(batch.column(part)).cast(pa.binary()) for part in parts]
        counted = pc.value_counts(pa.concat_arrays(ids))
        if len(counted):
            counts = pa.RecordBatch.from_arrays(
                [counted.field("values"), counted.field("counts").cast(pa.int64())], ["id", "count"]
            )
            for shard, part in split_by(counts, stable_hash(counts.column("id")) % _SHARDS):
                yield (name, shard), pack(part)


def _sum_counts(key: tuple[str, int], packed: Iterable[bytes]) -> tuple[tuple[str, int], pa.RecordBatch]:
    parts = concat(map(unpack, packed))
    encoded = parts.column("id").dictionary_encode()
    # Sums of whole numbers below 2**53 are exact.
    totals = np.bincount(encoded.indices.to_numpy(), weights=parts.column("count").to_numpy())
    return key, pa.RecordBatch.from_pydict(
        {"id": encoded.dictionary, "count": pa.array(totals.astype(np.int64))}
    )
