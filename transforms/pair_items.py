"""Titles and pictures of the items that query pairs name."""

from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.input_error import InputError
from transforms.record_batches import concat, pack, split_by, stable_hash, unpack

ROLES = ("positive", "negative")

_CATALOG, _WANTED = "catalog", "wanted"
_PAIRS, _ITEMS = "pairs", "items"
_COLUMNS = ("item_id", "title", "image")

# A shard of items is joined in parts of at most this.
_PART_BYTES = 1_000_000_000
_MAX_COLUMN_BYTES = 2**31 - 1

PairKey = tuple[str, int]


class JoinPairItems(beam.PTransform):
    """Adds to each pair the title and picture of its positive and of its negative.

    A shard of pairs asks the shards of items once for each item it names; a catalog row travels to its
    shard of items, and from there to those shards of pairs that asked. Nothing is broadcast, so catalogs
    of millions of pictures fit.

    Args:
        num_item_shards: into how many shards the items are hashed.
    Call arguments:
        A tuple of two collections: pairs, as ((split, shard), batch) with each key once and columns
        positive_item_id and negative_item_id; and the catalog's record batches, each item once.
    Returns:
        The pairs, each item_id followed by title (string) and image (binary), null where the catalog has
        null or the pair has no negative.
    Raises:
        InputError: a shard of pairs would have more than two gigabytes of titles or of pictures.
    """

    def __init__(self, num_item_shards: int):
        super().__init__()
        self.num_item_shards = num_item_shards

    def expand(self, collections: tuple[beam.PCollection, beam.PCollection]) -> beam.PCollection:
        pairs, catalog = collections
        items = (
            (
                catalog | "ShardCatalog" >> beam.FlatMap(_shard_catalog, self.num_item_shards),
                pairs | "ShardWanted" >> beam.FlatMap(_shard_wanted, self.num_item_shards),
            )
            | "FlattenItems" >> beam.Flatten()
            | "GroupByItems" >> beam.GroupByKey()
            | "FindWanted" >> beam.FlatMap(_find_wanted)
        )
        return (
            (pairs | "PackPairs" >> beam.MapTuple(lambda key, batch: (key, (_PAIRS, pack(batch)))), items)
            | "FlattenPairs" >> beam.Flatten()
            | "GroupByPairs" >> beam.GroupByKey()
            | "JoinItems" >> beam.MapTuple(_join_items)
        )


def _shard_catalog(batch: pa.RecordBatch, num_shards: int) -> Iterator[tuple[int, tuple]]:
    items = batch.select(_COLUMNS)
    for shard, part in split_by(items, stable_hash(items.column("item_id")) % num_shards):
        yield shard, (_CATALOG, None, pack(part))


def _shard_wanted(element: tuple[PairKey, pa.RecordBatch], num_shards: int) -> Iterator[tuple[int, tuple]]:
    key, pairs = element
    named = pa.concat_arrays([pairs.column(f"{role}_item_id") for role in ROLES]).drop_null().unique()
    wanted = pa.RecordBatch.from_arrays([named], ["item_id"])
    for shard, part in split_by(wanted, stable_hash(named) % num_shards):
        yield shard, (_WANTED, key, pack(part))


def _find_wanted(element: tuple[int, Iterable[tuple]]) -> Iterator[tuple[PairKey, tuple[str, bytes]]]:
    """Yields to each shard of pairs the items that it wants."""
    catalog: list[bytes] = []
    wanted: list[tuple[PairKey, pa.Array]] = []
    for kind, key, packed in element[1]:
        if kind == _CATALOG:
            catalog.append(packed)
        else:
            wanted.append((key, unpack(packed).column("item_id")))
    if not wanted:
        return
    owners = np.repeat(np.arange(len(wanted)), [len(item_ids) for _, item_ids in wanted])
    item_ids = pa.concat_arrays([item_ids for _, item_ids in wanted])
    for items in join_parts(map(unpack, catalog), _PART_BYTES):
        places = pc.index_in(item_ids, value_set=items.column("item_id"))
        is_here = places.is_valid().to_numpy(zero_copy_only=False)
        if not is_here.any():
            continue
        found = pa.RecordBatch.from_arrays([places.drop_null()], ["place"])
        for owner, part in split_by(found, owners[is_here]):
            yield wanted[owner][0], (_ITEMS, pack(items.take(part.column("place"))))


def _join_items(key: PairKey, packed: Iterable[tuple[str, bytes]]) -> tuple[PairKey, pa.RecordBatch]:
    batches: dict[str, list[pa.RecordBatch]] = {_PAIRS: [], _ITEMS: []}
    for kind, data in packed:
        batches[kind].append(unpack(data))
    (pairs,) = batches[_PAIRS]
    items = concat(batches[_ITEMS])
    for role in ROLES:
        name = f"{role}_item_id"
        places = pc.index_in(pairs.column(name), value_set=items.column("item_id"), skip_nulls=True)
        after = pairs.schema.get_field_index(name) + 1
        for offset, column in enumerate(("title", "image")):
            values = _take(items.column(column), places)
            pairs = pairs.add_column(after + offset, f"{role}_{column}", values)
    return key, pairs


def _take(values: pa.Array, places: pa.Array) -> pa.Array:
    size = pc.sum(pc.binary_length(values).take(places)).as_py() or 0
    if size > _MAX_COLUMN_BYTES:
        raise InputError(
            f"a shard of query pairs has {size:,} bytes of titles or pictures, and at most 2 GB fit; "
            "lower ingest.rows_per_file"
        )
    return values.take(places)


def join_parts(batches: Iterable[pa.RecordBatch], max_bytes: int) -> Iterator[pa.RecordBatch]:
    """Joins batches to as few as hold at most `max_bytes` each; one that is larger stays alone."""
    part: list[pa.RecordBatch] = []
    for batch in batches:
        if part and sum(held.nbytes for held in part) + batch.nbytes > max_bytes:
            yield concat(part)
            part = []
        part.append(batch)
    if part:
        yield concat(part)
