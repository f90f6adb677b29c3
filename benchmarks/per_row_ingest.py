"""The job of `transforms/ingest_logs.py` as plain Beam: a dictionary a row, a Python loop a user.

It is what `ingest.py` compares with, written as one writes Beam by the row: rows are checked against the
catalog as a dictionary, joined by a CoGroupByKey of users, found by bisection in the user's sorted events,
encoded as `tf.train.Example` and written by `WriteToTFRecord`. It does less than the original: it neither
sorts the examples by time nor writes rejects, query pairs and the catalog.
"""

import bisect
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import apache_beam as beam
import pyarrow as pa
import tensorflow as tf

from transforms.ingest_config import IngestConfig
from transforms.item_stats import NEW_ITEM_GROUP, NUM_GROUPS
from transforms.logs import IMPRESSIONS, PURCHASES, LogSpec
from transforms.read_log import read_schema
from transforms.time_splits import SPLITS

Row = dict[str, Any]

ITEM_COLUMNS = ("item_id", "category_id", "shop_id")

_EPOCH = datetime.fromtimestamp(0, UTC)
_STATS = pa.schema(
    [
        ("item_id", pa.string()),
        ("impressions", pa.int64()),
        ("clicks", pa.int64()),
        ("frequency_group", pa.int64()),
    ]
)


class IngestPerRow(beam.PTransform):
    """Writes examples by split and the item stats.

    Args:
        logs: the folder of the four logs.
        config: features, behaviors and both ends of the splits.
        log_end: microseconds; later rows are dropped.
        examples: the directory of the examples.
        item_stats: the directory of the item stats.
    """

    def __init__(self, logs: str, config: IngestConfig, log_end: int, examples: str, item_stats: str):
        super().__init__()
        self.logs = logs
        self.config = config
        self.log_end = log_end
        self.examples = examples
        self.item_stats = item_stats

    def expand(self, root: beam.Pipeline) -> None:
        train_end, eval_end = self.config.microseconds("train_end"), self.config.microseconds("eval_end")
        catalog = beam.pvalue.AsDict(
            root
            | "ReadCatalog"
            >> beam.io.ReadFromParquet(f"{self.logs}/catalog/*.parquet", columns=[*ITEM_COLUMNS])
            | "KeyCatalog" >> beam.Map(lambda row: (row["item_id"], row))
        )
        impressions = self._read(root, IMPRESSIONS, catalog)
        purchases = self._read(root, PURCHASES, catalog)
        stats = (
            impressions
            | "TakeTraining" >> beam.Filter(lambda row: row["timestamp"] < train_end)
            | "KeyByItem" >> beam.Map(lambda row: (row["item_id"], (1, int(row["clicked"]))))
            | "CountItems" >> beam.CombinePerKey(_sum_pairs)
            | "ListItems" >> beam.combiners.ToList()
            | "GroupByFrequency" >> beam.FlatMap(_frequency_groups, catalog)
        )
        _ = stats | "WriteStats" >> beam.io.WriteToParquet(f"{self.item_stats}/item_stats.parquet", _STATS)
        groups = stats | "KeyStats" >> beam.Map(lambda row: (row["item_id"], row["frequency_group"]))
        by_split = (
            {
                "impressions": impressions | "KeyImpressions" >> beam.Map(lambda row: (row["user_id"], row)),
                "purchases": purchases | "KeyPurchases" >> beam.Map(lambda row: (row["user_id"], row)),
            }
            | "GroupByUser" >> beam.CoGroupByKey()
            | "JoinBehaviors" >> beam.FlatMap(_join_user, self.config.max_behaviors)
            | "PartSplits"
            >> beam.Partition(lambda row, _: bisect.bisect_right([train_end, eval_end], row["timestamp"]), 3)
        )
        names = tuple(feature.name for feature in self.config.features)
        for split, rows in zip(SPLITS, by_split, strict=True):
            _ = (
                rows
                | f"Encode {split}" >> beam.Map(_encode, names, catalog, beam.pvalue.AsDict(groups))
                | f"Write {split}" >> beam.io.WriteToTFRecord(f"{self.examples}/Split-{split}/examples")
            )

    def _read(self, root: beam.Pipeline, spec: LogSpec, catalog: beam.pvalue.AsDict) -> beam.PCollection:
        """Rows that can be used, the first of each id."""
        log, columns = spec.name, read_schema(spec, self.config.features).names
        return (
            root
            | f"Read {log}" >> beam.io.ReadFromParquet(f"{self.logs}/{log}/*.parquet", columns=columns)
            | f"Check {log}" >> beam.FlatMap(_check, spec.keys, self.log_end, catalog)
            | f"KeyById {log}" >> beam.Map(lambda row, column: (row[column], row), spec.id_column)
            | f"GroupById {log}" >> beam.GroupByKey()
            | f"TakeFirst {log}" >> beam.Map(lambda group: next(iter(group[1])))
        )


def _check(row: Row, keys: tuple[str, ...], log_end: int, catalog: dict[str, Row]) -> Iterator[Row]:
    if not all(row[key] for key in keys) or row["timestamp"] is None or row.get("clicked", True) is None:
        return
    moment = (row["timestamp"] - _EPOCH) // timedelta(microseconds=1)
    if moment <= log_end and row["item_id"] in catalog:
        yield row | {"timestamp": moment}


def _sum_pairs(pairs: Iterable[tuple[int, int]]) -> tuple[int, int]:
    left = right = 0
    for pair in pairs:
        left, right = left + pair[0], right + pair[1]
    return left, right


def _frequency_groups(counts: list[tuple[str, tuple[int, int]]], catalog: dict[str, Row]) -> Iterator[Row]:
    ranked = sorted(counts, key=lambda entry: (entry[1][0], entry[0]))
    groups = {item: 1 + rank * NUM_GROUPS // len(ranked) for rank, (item, _) in enumerate(ranked)}
    by_item = dict(counts)
    for item in catalog:
        impressions, clicks = by_item.get(item, (0, 0))
        group = groups.get(item, NEW_ITEM_GROUP)
        yield {"item_id": item, "impressions": impressions, "clicks": clicks, "frequency_group": group}


def _join_user(element: tuple[str, dict[str, Iterable[Row]]], max_behaviors: int) -> Iterator[Row]:
    impressions, purchases = list(element[1]["impressions"]), element[1]["purchases"]
    clicks = [(row["timestamp"], 0, row["item_id"]) for row in impressions if row["clicked"]]
    events = sorted([*clicks, *((row["timestamp"], 1, row["item_id"]) for row in purchases)])
    moments = [event[0] for event in events]
    for row in impressions:
        end = bisect.bisect_left(moments, row["timestamp"])
        yield row | {"behaviors": [event[2] for event in events[max(0, end - max_behaviors) : end]]}


def _encode(row: Row, names: tuple[str, ...], catalog: dict[str, Row], groups: dict[str, int]) -> bytes:
    item, behaviors = catalog[row["item_id"]], [catalog[item_id] for item_id in row["behaviors"]]
    features = {
        "impression_id": _strings([row["impression_id"]]),
        "user_id": _strings([row["user_id"]]),
        "timestamp": _integers([row["timestamp"]]),
        "clicked": _integers([int(row["clicked"])]),
        "item_frequency_group": _integers([groups[row["item_id"]]]),
    }
    for name in ITEM_COLUMNS:
        features[name] = _strings([item[name]])
        features[f"behavior_{name}"] = _strings([behavior[name] for behavior in behaviors])
    for name in names:
        features[name] = _strings([row[name]])
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def _strings(values: list[str | None]) -> tf.train.Feature:
    encoded = [value.encode() for value in values if value is not None]
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=encoded))


def _integers(values: list[int]) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
