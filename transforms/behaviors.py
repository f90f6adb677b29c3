"""Each impression's behaviors: what its user clicked and bought strictly before it."""

from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.catalog_index import places_of
from transforms.record_batches import concat, pack, split_by, stable_hash, times, unpack

ITEM = "_item"
BEHAVIORS = "_behaviors"

_IMPRESSIONS, _PURCHASES = "impressions", "purchases"


class JoinBehaviors(beam.PTransform):
    """Adds to each impression its item's place in the catalog and those of its user's last behaviors.

    Impressions and purchases are shuffled once, by shards of users; within a shard the join is a sort and
    a binary search over arrays.

    Args:
        catalog: side input, the catalog's index.
        num_shards: into how many shards the users are hashed.
        max_behaviors: the most behaviors kept, the latest ones.
    Call arguments:
        A tuple of two collections of record batches, impressions and purchases.
    Returns:
        Batches of impressions with `_item` (int32) and `_behaviors` (list of int32, most recent last).
    """

    def __init__(self, catalog: beam.pvalue.AsSingleton, num_shards: int, max_behaviors: int):
        super().__init__()
        self.catalog = catalog
        self.num_shards = num_shards
        self.max_behaviors = max_behaviors

    def expand(self, logs: tuple[beam.PCollection, beam.PCollection]) -> beam.PCollection:
        impressions, purchases = logs
        sharded = (
            impressions | "ShardImpressions" >> beam.FlatMap(shard_by_user, _IMPRESSIONS, self.num_shards),
            purchases | "ShardPurchases" >> beam.FlatMap(shard_by_user, _PURCHASES, self.num_shards),
        )
        return (
            sharded
            | "FlattenLogs" >> beam.Flatten()
            | "GroupByUsers" >> beam.GroupByKey()
            | "JoinInShard" >> beam.FlatMap(_join_shard, self.catalog, self.max_behaviors)
        )


def shard_by_user(
    batch: pa.RecordBatch, log: str, num_shards: int
) -> Iterator[tuple[int, tuple[str, bytes]]]:
    """Yields (shard, (log, packed batch)), every row of a user in the same shard."""
    for shard, part in split_by(batch, stable_hash(batch.column("user_id")) % num_shards):
        yield shard, (log, pack(part))


def unpack_shard(element: tuple[int, Iterable[tuple[str, bytes]]]) -> dict[str, pa.RecordBatch]:
    """Joins a shard's batches by log; a log without rows in it is absent."""
    batches: dict[str, list[pa.RecordBatch]] = {}
    for log, packed in element[1]:
        batches.setdefault(log, []).append(unpack(packed))
    return {log: concat(parts) for log, parts in batches.items()}


def last_behaviors(
    events: tuple[np.ndarray, np.ndarray, np.ndarray],
    rows: tuple[np.ndarray, np.ndarray],
    max_behaviors: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Finds each row's last events of the same user, strictly before the row.

    Args:
        events: users, times and items, each int64 `[events]`; ordered among equal times as they come.
        rows: users and times, each int64 `[rows]`.
        max_behaviors: the most events kept for a row, the latest ones.
    Returns:
        Offsets int64 `[rows + 1]` into items int64 `[total]`, each row's most recent last.
    """
    event_users, event_times, event_items = events
    row_users, row_times = rows
    # A (user, time) pair becomes one sortable number: the user's code and the rank of the time.
    ranks, inverse = np.unique(np.concatenate([event_times, row_times]), return_inverse=True)
    event_keys = event_users * len(ranks) + inverse[: len(event_times)]
    row_keys = row_users * len(ranks) + inverse[len(event_times) :]
    order = np.argsort(event_keys, kind="stable")
    event_keys = event_keys[order]
    ends = np.searchsorted(event_keys, row_keys, side="left")
    first_of_user = np.searchsorted(event_keys, row_users * len(ranks), side="left")
    starts = np.maximum(first_of_user, ends - max_behaviors)
    offsets = np.append(0, np.cumsum(ends - starts))
    picks = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], ends - starts)
    return offsets, event_items[order][picks]


def _join_shard(element: tuple, catalog: pa.RecordBatch, max_behaviors: int) -> Iterator[pa.RecordBatch]:
    logs = unpack_shard(element)
    if _IMPRESSIONS not in logs:
        return
    impressions = logs[_IMPRESSIONS]
    items = places_of(impressions.column("item_id"), catalog)
    clicked = impressions.column("clicked").to_numpy(zero_copy_only=False)
    users, moments = (
        [impressions.column("user_id").filter(pa.array(clicked))],
        [impressions.column("timestamp")],
    )
    event_times, event_items = [times(moments[0])[clicked]], [items[clicked]]
    if _PURCHASES in logs:
        users.append(logs[_PURCHASES].column("user_id"))
        event_times.append(times(logs[_PURCHASES].column("timestamp")))
        event_items.append(places_of(logs[_PURCHASES].column("item_id"), catalog))
    codes = _codes([*users, impressions.column("user_id")])
    num_events = len(codes) - impressions.num_rows
    order = _event_order(np.concatenate(event_times), len(event_times[0]), np.concatenate(event_items))
    events = codes[:num_events][order], np.concatenate(event_times)[order], np.concatenate(event_items)[order]
    offsets, behaviors = last_behaviors(events, (codes[num_events:], times(moments[0])), max_behaviors)
    lists = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(behaviors, pa.int32()))
    yield impressions.append_column(ITEM, pa.array(items, pa.int32())).append_column(BEHAVIORS, lists)


def _event_order(event_times: np.ndarray, num_clicks: int, items: np.ndarray) -> np.ndarray:
    """Orders events by time; of one moment clicks come before purchases, then by item."""
    is_purchase = np.arange(len(event_times)) >= num_clicks
    return np.lexsort((items, is_purchase, event_times))


def _codes(columns: list[pa.Array]) -> np.ndarray:
    """Numbers the distinct strings of several columns alike. int64 `[total]`."""
    encoded = pc.dictionary_encode(pa.concat_arrays(columns))
    return encoded.indices.to_numpy().astype(np.int64)
