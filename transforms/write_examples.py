"""Encodes impressions with their behaviors as tf.Examples and writes them in time order."""

from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf
from tfx_bsl.coders import example_coder

from transforms.behaviors import BEHAVIORS, ITEM
from transforms.feature import Feature
from transforms.record_batches import concat, pack, sort_rows, split_by, times, unpack
from transforms.time_splits import TimeSplits

GROUP = "item_frequency_group"

_ITEM_COLUMNS = ("item_id", "category_id", "shop_id")
_ROWS_PER_ENCODING = 1_024


class WriteExamples(beam.PTransform):
    """Encodes impressions as tf.Examples and writes them, sorted by time within and across files.

    Up to the shuffle by time a behavior is four bytes; its item, category and shop become strings only
    here, in C++, a few thousand rows at once.

    Args:
        directory: where `Split-train`, `Split-eval` and `Split-test` are made.
        features: the configured features of both sides.
        catalog: side input, the catalog's index.
        item_stats: side input, the batch that `CountItems` makes.
        splits: side input, `TimeSplits`.
    Returns:
        A collection of (split, rows, clicks) for each file written.
    """

    def __init__(
        self,
        directory: str,
        features: Iterable[Feature],
        catalog: beam.pvalue.AsSingleton,
        item_stats: beam.pvalue.AsSingleton,
        splits: beam.pvalue.AsSingleton,
    ):
        super().__init__()
        self.directory = directory
        self.features = tuple(features)
        self.side_inputs = (catalog, item_stats, splits)

    def expand(self, impressions: beam.PCollection) -> beam.PCollection:
        return (
            impressions
            | "ShardByTime" >> beam.FlatMap(_shard_by_time, self.side_inputs[2])
            | "GroupByTime" >> beam.GroupByKey()
            | "WriteFile" >> beam.FlatMap(_write_file, self.directory, self.features, *self.side_inputs)
        )


def _shard_by_time(batch: pa.RecordBatch, splits: TimeSplits) -> Iterator[tuple[int, bytes]]:
    for file, part in split_by(batch, splits.file_of(times(batch.column("timestamp")))):
        yield file, pack(part)


def _write_file(
    element: tuple[int, Iterable[bytes]],
    directory: str,
    features: tuple[Feature, ...],
    catalog: pa.RecordBatch,
    item_stats: pa.RecordBatch,
    splits: TimeSplits,
) -> Iterator[tuple[str, int, int]]:
    file, packed = element
    rows = sort_rows(concat(map(unpack, packed)), ["timestamp", "impression_id"])
    split, number, total = splits.locate(file)
    folder = f"{directory}/Split-{split}"
    tf.io.gfile.makedirs(folder)
    path = f"{folder}/examples-{number:05d}-of-{total:05d}"
    # A worker that dies leaves no half file behind under the final name.
    with tf.io.TFRecordWriter(f"{path}.partial") as writer:
        for example in encode_examples(rows, features, catalog, item_stats.column("frequency_group")):
            writer.write(example)
    tf.io.gfile.rename(f"{path}.partial", path, overwrite=True)
    yield split, rows.num_rows, int(pc.sum(rows.column("clicked")).as_py())


def encode_examples(
    rows: pa.RecordBatch, features: Iterable[Feature], catalog: pa.RecordBatch, groups: pa.Array
) -> Iterator[bytes]:
    """Encodes impressions as serialized tf.Examples.

    Args:
        rows: impressions with `_item` and `_behaviors`, places in the catalog's index.
        features: the configured features.
        catalog: the catalog's index.
        groups: int64 `[items]`, the frequency group of each row of the index.
    Yields:
        One serialized tf.Example a row, in order.
    """
    encoder = example_coder.RecordBatchToExamplesEncoder()
    columns = {name: _to_bytes(catalog.column(name)) for name in _ITEM_COLUMNS}
    features = [feature for feature in features if feature.name not in _ITEM_COLUMNS]
    for start in range(0, rows.num_rows, _ROWS_PER_ENCODING):
        part = rows.slice(start, _ROWS_PER_ENCODING)
        yield from encoder.encode(_example_columns(part, features, catalog, columns, groups))


def _example_columns(
    rows: pa.RecordBatch,
    features: Iterable[Feature],
    catalog: pa.RecordBatch,
    item_columns: dict[str, pa.Array],
    groups: pa.Array,
) -> pa.RecordBatch:
    items, behaviors = rows.column(ITEM), rows.column(BEHAVIORS)
    # Of a slice, `values` would be those of all rows; `flatten` gives the slice's own.
    places, offsets = behaviors.flatten(), pc.subtract(behaviors.offsets, behaviors.offsets[0])
    columns = {
        "impression_id": _one_each(_to_bytes(rows.column("impression_id"))),
        "user_id": _one_each(_to_bytes(rows.column("user_id"))),
        "timestamp": _one_each(rows.column("timestamp").cast(pa.int64())),
        "clicked": _one_each(rows.column("clicked").cast(pa.int64())),
        GROUP: _one_each(groups.take(items)),
    }
    for name, values in item_columns.items():
        columns[name] = _one_each(values.take(items))
        columns[f"behavior_{name}"] = pa.ListArray.from_arrays(offsets, values.take(places))
    for feature in features:
        if feature.name in columns:
            continue
        column = (
            catalog.column(feature.name).take(items) if feature.side == "item" else rows.column(feature.name)
        )
        columns[feature.name] = _one_each(_to_bytes(column) if feature.kind == "id" else column)
    return pa.RecordBatch.from_pydict(columns)


def _to_bytes(column: pa.Array) -> pa.Array:
    return column.cast(pa.binary())


def _one_each(column: pa.Array) -> pa.Array:
    """Wraps each value as a list of one, a null as a list of none: what tf.Example stores."""
    is_there = column.is_valid().to_numpy(zero_copy_only=False)
    offsets = np.append(0, np.cumsum(is_there)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), column.drop_null())
