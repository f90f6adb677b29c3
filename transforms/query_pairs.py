"""<query, positive, hard negative> triples for semantic-aware contrastive learning."""

from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.behaviors import shard_by_user, unpack_shard
from transforms.catalog_index import places_of
from transforms.record_batches import concat, stable_hash, times
from transforms.time_splits import SPLITS, TimeSplits

SEEN_IN_TRAIN = "seen_in_train"

_SEARCHES, _PURCHASES = "searches", "purchases"
_TRAIN = SPLITS.index("train")


class BuildQueryPairs(beam.PTransform):
    """Pairs each search with what its user bought, and with what was clicked there and not bought.

    A purchase that names its search belongs to it if user and attribution window agree; one that names
    none belongs to the same user's last search within the window. The hard negative is the first item
    clicked in the search that no purchase of the search bought up to the end of the pair's split; it may be
    absent. A pair's time is the purchase's. A pair of the eval or test split whose (query, positive) stands in train is left out; one
    whose (positive, negative) stands in train loses its negative.

    Args:
        catalog: side input, the catalog's index.
        splits: side input, `TimeSplits`.
        num_shards: into how many shards the users are hashed.
        window: microseconds that a purchase may follow its search by.
        start: microseconds; pairs are made of purchases from here on, earlier ones say what was bought. None:
            of all.
    Call arguments:
        A tuple of two collections of record batches, searches and purchases.
    Returns:
        A collection of ((split, shard), batch), a batch with columns search_id, purchase_id, timestamp,
        query_text, query_image, positive_item_id, negative_item_id (null where there is none); and a
        collection of how many pairs were left out.
    Source: Sheng et al. 2024 (arXiv 2407.19467), sections 3.2 and 6.1.1.
    """

    def __init__(
        self,
        catalog: beam.pvalue.AsSingleton,
        splits: beam.pvalue.AsSingleton,
        num_shards: int,
        window: int,
        start: int | None = None,
    ):
        super().__init__()
        self.catalog = catalog
        self.splits = splits
        self.num_shards = num_shards
        self.window = window
        self.start = start

    def expand(self, logs: tuple[beam.PCollection, beam.PCollection]) -> tuple:
        searches, purchases = logs
        sharded = (
            searches | "ShardSearches" >> beam.FlatMap(shard_by_user, _SEARCHES, self.num_shards),
            purchases | "ShardPurchases" >> beam.FlatMap(shard_by_user, _PURCHASES, self.num_shards),
        )
        pairs = (
            sharded
            | "FlattenLogs" >> beam.Flatten()
            | "GroupByUsers" >> beam.GroupByKey()
            | "PairInShard" >> beam.FlatMap(_pair_shard, self.catalog, self.splits, self.window, self.start)
        )
        train_keys = (
            pairs
            | "TakeTrainKeys" >> beam.FlatMap(_train_keys)
            | "JoinTrainKeys" >> beam.CombineGlobally(_JoinKeys())
        )
        parted = pairs | "DropSeenPairs" >> beam.ParDo(
            _DropSeen(), beam.pvalue.AsSingleton(train_keys)
        ).with_outputs(SEEN_IN_TRAIN, main="pairs")
        return parted["pairs"], parted[SEEN_IN_TRAIN]


def attribute(purchases: pa.RecordBatch, searches: pa.RecordBatch, window: int) -> np.ndarray:
    """Finds the search that each purchase belongs to.

    Args:
        purchases: rows of purchases.
        searches: rows of searches with unique search_ids, sorted by (timestamp, search_id).
        window: microseconds that a purchase may follow its search by.
    Returns:
        int64 `[purchases]`: the row of the search, -1 for none.
    """
    users = pc.dictionary_encode(pa.concat_arrays([searches.column("user_id"), purchases.column("user_id")]))
    codes = users.indices.to_numpy().astype(np.int64)
    search_users, purchase_users = codes[: searches.num_rows], codes[searches.num_rows :]
    search_times, purchase_times = times(searches.column("timestamp")), times(purchases.column("timestamp"))

    named = pc.fill_null(
        pc.index_in(purchases.column("search_id"), value_set=searches.column("search_id")), -1
    )
    is_named = purchases.column("search_id").is_valid().to_numpy(zero_copy_only=False)
    latest = _latest_search(search_users, search_times, purchase_users, purchase_times)
    rows = np.where(is_named, named.to_numpy(), latest)

    found = np.maximum(rows, 0)
    delays = purchase_times - search_times[found]
    fits = (rows >= 0) & (search_users[found] == purchase_users) & (delays >= 0) & (delays <= window)
    return np.where(fits, rows, -1)


def _latest_search(
    search_users: np.ndarray, search_times: np.ndarray, users: np.ndarray, moments: np.ndarray
) -> np.ndarray:
    """The row of each user's last search at or before a moment, or -1; searches come sorted by time."""
    ranks, inverse = np.unique(np.concatenate([search_times, moments]), return_inverse=True)
    search_keys = search_users * len(ranks) + inverse[: len(search_times)]
    keys = users * len(ranks) + inverse[len(search_times) :]
    order = np.argsort(search_keys, kind="stable")
    last = np.searchsorted(search_keys[order], keys, side="right") - 1
    return np.where(last >= 0, order[np.maximum(last, 0)], -1)


def _pair_shard(
    element: tuple, catalog: pa.RecordBatch, splits: TimeSplits, window: int, start: int | None
) -> Iterator[tuple[tuple[str, int], pa.RecordBatch]]:
    logs = unpack_shard(element)
    if len(logs) < 2:
        return
    searches = logs[_SEARCHES].sort_by([("timestamp", "ascending"), ("search_id", "ascending")])
    purchases = logs[_PURCHASES].sort_by([("timestamp", "ascending"), ("purchase_id", "ascending")])
    rows = attribute(purchases, searches, window)
    bought = purchases.filter(pa.array(rows >= 0))
    rows = rows[rows >= 0]
    if not len(rows):
        return
    positives = places_of(bought.column("item_id"), catalog)
    moments = times(bought.column("timestamp"))
    split_codes = splits.split_of(moments)
    is_paired = np.ones(len(moments), dtype=bool) if start is None else moments >= start
    for code, split in enumerate(SPLITS):
        inside = (split_codes == code) & is_paired
        if inside.any():
            # What is bought after the end of a split is not known to it.
            known = split_codes <= code
            negatives = _hard_negatives(searches, rows[known], positives[known], catalog)[rows[inside]]
            queries = searches.take(pa.array(rows[inside]))
            yield (
                (split, element[0]),
                _make_pairs(queries, bought.filter(pa.array(inside)), negatives, catalog),
            )


def _make_pairs(
    queries: pa.RecordBatch, bought: pa.RecordBatch, negatives: np.ndarray, catalog: pa.RecordBatch
) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(
        {
            "search_id": queries.column("search_id"),
            "purchase_id": bought.column("purchase_id"),
            "timestamp": bought.column("timestamp"),
            "query_text": queries.column("query_text"),
            "query_image": queries.column("query_image"),
            "positive_item_id": bought.column("item_id"),
            "negative_item_id": catalog.column("item_id").take(
                pa.array(negatives, pa.int64(), mask=negatives < 0)
            ),
        }
    )


def _hard_negatives(
    searches: pa.RecordBatch, rows: np.ndarray, positives: np.ndarray, catalog: pa.RecordBatch
) -> np.ndarray:
    """For each search the place of the first item clicked there and not bought there, or -1.

    Args:
        searches: rows of searches.
        rows: int64 `[purchases]`, the search of each purchase.
        positives: int64 `[purchases]`, the place of each purchase's item.
        catalog: the catalog's index.
    """
    clicked = searches.column("clicked_item_ids")
    owners = pc.list_parent_indices(clicked).to_numpy()
    items = places_of(pc.list_flatten(clicked), catalog)
    bought = np.isin(owners * catalog.num_rows + items, rows * catalog.num_rows + positives)
    usable = np.flatnonzero((items >= 0) & ~bought)
    first = np.full(searches.num_rows, -1, dtype=np.int64)
    owners_with_one, firsts = np.unique(owners[usable], return_index=True)
    first[owners_with_one] = items[usable[firsts]]
    return first


def _query_keys(pairs: pa.RecordBatch) -> np.ndarray:
    """Names each pair's (query, positive) by text and by picture. uint64 `[pairs, 2]`, 0 for none."""
    positives = stable_hash(pairs.column("positive_item_id"))
    keys = []
    for salt, name in enumerate(("query_text", "query_image"), start=1):
        query = pairs.column(name)
        is_there = pc.greater(pc.fill_null(pc.binary_length(query), 0), 0).to_numpy(zero_copy_only=False)
        keys.append(np.where(is_there, _mix(stable_hash(query) + np.uint64(salt), positives), np.uint64(0)))
    return np.stack(keys, axis=1)


def _item_keys(pairs: pa.RecordBatch) -> np.ndarray:
    """Names each pair's {positive, negative}, whichever is which. uint64 `[pairs]`, 0 without a negative."""
    positives = stable_hash(pairs.column("positive_item_id"))
    negatives = stable_hash(pairs.column("negative_item_id"))
    is_there = pairs.column("negative_item_id").is_valid().to_numpy(zero_copy_only=False)
    key = _mix(np.minimum(positives, negatives), np.maximum(positives, negatives))
    return np.where(is_there, key, np.uint64(0))


def _mix(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return (left * np.uint64(0x9E3779B97F4A7C15)) ^ (right + np.uint64(0x2545F4914F6CDD1D))


def _train_keys(element: tuple) -> Iterator[np.ndarray]:
    (split, _), pairs = element
    if split == SPLITS[_TRAIN]:
        yield np.unique(np.concatenate([_query_keys(pairs).ravel(), _item_keys(pairs)]))


class _JoinKeys(beam.CombineFn):
    """Joins sorted keys; eight bytes for each key of the training pairs."""

    def create_accumulator(self) -> np.ndarray:
        return np.zeros(1, dtype=np.uint64)

    def add_input(self, accumulator: np.ndarray, keys: np.ndarray) -> np.ndarray:
        return np.union1d(accumulator, keys)

    def merge_accumulators(self, accumulators: Iterable[np.ndarray]) -> np.ndarray:
        return np.unique(np.concatenate(list(accumulators)))

    def extract_output(self, accumulator: np.ndarray) -> np.ndarray:
        return accumulator


class _DropSeen(beam.DoFn):
    def process(self, element: tuple, train_keys: np.ndarray) -> Iterator:
        (split, shard), pairs = element
        if split == SPLITS[_TRAIN]:
            yield element
            return
        query_keys, item_keys = _query_keys(pairs), _item_keys(pairs)
        is_seen = (np.isin(query_keys, train_keys) & (query_keys > 0)).any(axis=1)
        keeps_negative = ~np.isin(item_keys, train_keys) | (item_keys == 0)
        negatives = pc.if_else(
            pa.array(keeps_negative), pairs.column("negative_item_id"), pa.scalar(None, pa.string())
        )
        pairs = pairs.set_column(
            pairs.schema.get_field_index("negative_item_id"), "negative_item_id", negatives
        )
        if is_seen.any():
            yield beam.pvalue.TaggedOutput(SEEN_IN_TRAIN, int(is_seen.sum()))
        if not is_seen.all():
            yield (split, shard), concat([pairs.filter(pa.array(~is_seen))])
