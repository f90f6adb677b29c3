"""Each impression's behaviors: what its user clicked and bought strictly before it."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.catalog_index import places_of
from transforms.logs import TIMESTAMP
from transforms.record_batches import concat, pack, sort_rows, split_by, stable_hash, times, unpack

HISTORY = "history"
HISTORY_COLUMNS = ("user_id", "item_id", "timestamp", "bought")

ITEM = "_item"
BEHAVIORS = "_behaviors"

_IMPRESSIONS, _PURCHASES = "impressions", "purchases"


class JoinBehaviors(beam.PTransform):
    """Adds to each impression its item's place in the catalog and those of its user's last behaviors.

    Impressions, purchases and what is known of the days before are shuffled once, by shards of users; within a
    shard the join is a sort and a binary search over arrays.

    Args:
        catalog: side input, the catalog's index.
        num_shards: into how many shards the users are hashed.
        max_behaviors: the most behaviors kept, the latest ones.
        history_end: microseconds; of the events strictly before it the history is made. None: of none.
    Call arguments:
        Collections of record batches by name: "impressions", "purchases" and, where there is one, "history",
        which is what this transform made of the days before.
    Returns:
        A tuple of batches of impressions with `_item` (int32) and `_behaviors` (list of int32, most recent last);
        and of (shard, batch), each user's last `max_behaviors` events: user_id, item_id, timestamp, bought.
    """

    def __init__(
        self,
        catalog: beam.pvalue.AsSingleton,
        num_shards: int,
        max_behaviors: int,
        history_end: int | None = None,
    ):
        super().__init__()
        self.catalog = catalog
        self.num_shards = num_shards
        self.max_behaviors = max_behaviors
        self.history_end = history_end

    def expand(self, logs: dict[str, beam.PCollection]) -> tuple[beam.PCollection, beam.PCollection]:
        sharded = [
            batches | f"Shard{log.capitalize()}" >> beam.FlatMap(shard_by_user, log, self.num_shards)
            for log, batches in logs.items()
        ]
        joined = (
            sharded
            | "FlattenLogs" >> beam.Flatten()
            | "GroupByUsers" >> beam.GroupByKey()
            | "JoinInShard"
            >> beam.FlatMap(_join_shard, self.catalog, self.max_behaviors, self.history_end).with_outputs(
                HISTORY, main="impressions"
            )
        )
        return joined["impressions"], joined[HISTORY]


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


class _Events(NamedTuple):
    """Clicks and purchases of a shard's users."""

    users: pa.Array
    times: np.ndarray
    items: np.ndarray
    bought: np.ndarray

    def take(self, order: np.ndarray) -> "_Events":
        return _Events(self.users.take(pa.array(order)), *(column[order] for column in self[1:]))


def _join_shard(
    element: tuple, catalog: pa.RecordBatch, max_behaviors: int, history_end: int | None
) -> Iterator:
    logs = unpack_shard(element)
    events = _find_events(logs, catalog)
    if _IMPRESSIONS in logs:
        yield _add_behaviors(logs[_IMPRESSIONS], events, catalog, max_behaviors)
    if history_end is not None and len(events.times):
        history = _last_events(events, catalog, max_behaviors, history_end)
        if history.num_rows:
            yield beam.pvalue.TaggedOutput(HISTORY, (element[0], history))


def _find_events(logs: dict[str, pa.RecordBatch], catalog: pa.RecordBatch) -> _Events:
    """What the users of a shard clicked and bought, of one moment clicks before purchases, then by item."""
    parts = []
    if _IMPRESSIONS in logs:
        clicks = logs[_IMPRESSIONS].filter(logs[_IMPRESSIONS].column("clicked"))
        parts.append((clicks, np.zeros(clicks.num_rows, bool)))
    if _PURCHASES in logs:
        parts.append((logs[_PURCHASES], np.ones(logs[_PURCHASES].num_rows, bool)))
    if HISTORY in logs:
        history = logs[HISTORY]
        # An item that the catalog has no more can be nobody's behavior.
        is_known = pc.is_in(history.column("item_id"), value_set=catalog.column("item_id"))
        history = history.filter(is_known)
        parts.append((history, history.column("bought").to_numpy(zero_copy_only=False)))
    events = _Events(
        pa.concat_arrays([rows.column("user_id") for rows, _ in parts]),
        np.concatenate([times(rows.column("timestamp")) for rows, _ in parts]),
        np.concatenate([places_of(rows.column("item_id"), catalog) for rows, _ in parts]),
        np.concatenate([bought for _, bought in parts]),
    )
    return events.take(np.lexsort((events.items, events.bought, events.times)))


def _add_behaviors(
    impressions: pa.RecordBatch, events: _Events, catalog: pa.RecordBatch, max_behaviors: int
) -> pa.RecordBatch:
    event_users, users = _codes([events.users, impressions.column("user_id")])
    offsets, behaviors = last_behaviors(
        (event_users, events.times, events.items),
        (users, times(impressions.column("timestamp"))),
        max_behaviors,
    )
    lists = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(behaviors, pa.int32()))
    items = pa.array(places_of(impressions.column("item_id"), catalog), pa.int32())
    return impressions.append_column(ITEM, items).append_column(BEHAVIORS, lists)


def _last_events(events: _Events, catalog: pa.RecordBatch, max_behaviors: int, end: int) -> pa.RecordBatch:
    """Each user's last events strictly before `end`, by user and time."""
    (event_users,) = _codes([events.users])
    users = np.unique(event_users)
    _, picks = last_behaviors(
        (event_users, events.times, np.arange(len(event_users))),
        (users, np.full(len(users), end)),
        max_behaviors,
    )
    last = events.take(picks)
    rows = pa.RecordBatch.from_pydict(
        {
            "user_id": last.users,
            "item_id": catalog.column("item_id").take(pa.array(last.items)),
            "timestamp": pa.array(last.times).cast(TIMESTAMP),
            "bought": last.bought,
        }
    )
    return sort_rows(rows, ["user_id", "timestamp", "bought", "item_id"])


def _codes(columns: list[pa.Array]) -> list[np.ndarray]:
    """Numbers the distinct strings of several columns alike. int64 `[n]` of each."""
    encoded = pc.dictionary_encode(pa.concat_arrays(columns))
    codes = encoded.indices.to_numpy().astype(np.int64)
    return np.split(codes, np.cumsum([len(column) for column in columns])[:-1])
