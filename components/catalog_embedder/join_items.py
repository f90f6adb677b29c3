"""Joins the items of a shard with their vectors."""

from collections import Counter
from collections.abc import Iterator, Mapping

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc

from components.catalog_embedder.embedding_columns import EMBEDDINGS_SCHEMA
from components.catalog_embedder.encoded_items import ENCODED_SCHEMA
from components.catalog_embedder.encoder import Encoder
from components.catalog_embedder.modality import MODALITIES
from transforms.record_batches import concat, sort_rows, unpack

_EMBEDDINGS, _REJECTS, _COUNTS = "embeddings", "rejects", "counts"

_REJECTS_SCHEMA = pa.schema([("item_id", pa.string()), ("modality", pa.string()), ("reason", pa.string())])


class JoinItems(beam.PTransform):
    """Joins items, fresh vectors and kept ones, by shard.

    Args:
        encoders: by name of modality.
    Call arguments:
        A dictionary of collections of (shard, packed record batch): `items`, and for each encoder
        `fresh_<modality>` and `kept_<modality>`.
    Returns:
        A tuple of three collections: `embeddings` and `rejects`, of (shard, record batch), and `counts`, of Counters.
    """

    def __init__(self, encoders: Mapping[str, Encoder]):
        super().__init__()
        self.encoders = encoders

    def expand(self, parts: Mapping[str, beam.PCollection]) -> tuple:
        joined = (
            parts
            | "GroupByItems" >> beam.CoGroupByKey()
            | "JoinShard"
            >> beam.FlatMap(_join_shard, self.encoders).with_outputs(_REJECTS, _COUNTS, main=_EMBEDDINGS)
        )
        return joined[_EMBEDDINGS], joined[_REJECTS], joined[_COUNTS]


def _join_shard(element: tuple, encoders: Mapping[str, Encoder]) -> Iterator:
    shard, parts = element
    if not parts["items"]:
        # There are only vectors of items that have left the catalog.
        return
    items = sort_rows(concat(map(unpack, parts["items"])), ["item_id"])
    columns: dict[str, pa.Array] = {"item_id": items.column("item_id")}
    counts = Counter({("items",): items.num_rows})
    rejects = []
    for modality in MODALITIES:
        name = modality.name
        fresh, kept = (
            concat(map(unpack, parts.get(f"{part}_{name}", ())), ENCODED_SCHEMA) for part in ("fresh", "kept")
        )
        hashes = items.column(f"{name}_hash")
        embedding = _take_vectors(items.column("item_id"), hashes, concat([fresh, kept]), name in encoders)
        columns |= {
            f"{name}_embedding": embedding,
            f"has_{name}": embedding.is_valid(),
            f"{name}_hash": hashes,
            f"{name}_encoder": _fingerprints(encoders.get(name), items.num_rows),
        }
        rejects.append(_rejects(fresh, name))
        counts += _count(name, hashes, embedding, fresh, rejects[-1])
    yield shard, pa.RecordBatch.from_pydict(columns, schema=EMBEDDINGS_SCHEMA)
    rejected = concat(rejects)
    if rejected.num_rows:
        yield beam.pvalue.TaggedOutput(_REJECTS, (shard, rejected.sort_by("item_id")))
    yield beam.pvalue.TaggedOutput(_COUNTS, counts)


def _take_vectors(
    item_ids: pa.Array, hashes: pa.Array, vectors: pa.RecordBatch, is_encoded: bool
) -> pa.ListArray:
    """The vector of each item's present content, null where there is none.

    Args:
        item_ids: unique ids `[n]`.
        hashes: int64 `[n]`, of their contents; null where there is none.
        vectors: rows of `ENCODED_SCHEMA`, also such of earlier contents and of other items.
        is_encoded: whether every content must have been to the encoder.
    """
    owners = pc.index_in(vectors.column("item_id"), value_set=item_ids)
    is_current = pc.equal(hashes.take(owners), vectors.column("content_hash"))
    current = vectors.filter(pc.fill_null(is_current, False))
    places = pc.index_in(item_ids, value_set=current.column("item_id"))
    lost = pc.sum(pc.and_(hashes.is_valid(), places.is_null())).as_py()
    if is_encoded and lost:
        raise RuntimeError(f"{lost} of {len(item_ids)} items have neither a vector nor a reason")
    return current.column("embedding").take(places)


def _fingerprints(encoder: Encoder | None, rows: int) -> pa.Array:
    return pa.repeat(pa.scalar(encoder.fingerprint if encoder else None, pa.string()), rows)


def _rejects(fresh: pa.RecordBatch, name: str) -> pa.RecordBatch:
    rejected = fresh.filter(fresh.column("reason").is_valid())
    names = pa.repeat(name, rejected.num_rows)
    return pa.RecordBatch.from_arrays(
        [rejected.column("item_id"), names, rejected.column("reason")], schema=_REJECTS_SCHEMA
    )


def _count(
    name: str, hashes: pa.Array, embedding: pa.Array, fresh: pa.RecordBatch, rejects: pa.RecordBatch
) -> Counter:
    embedded, encoded = len(embedding) - embedding.null_count, fresh.num_rows - rejects.num_rows
    reasons = rejects.column("reason").value_counts().to_pylist()
    counts: Counter = Counter({("rejects", name, entry["values"]): entry["counts"] for entry in reasons})
    counts.update(
        {
            ("with", name): len(hashes) - hashes.null_count,
            ("embeddings", name): embedded,
            ("encoded", name): encoded,
            ("reused", name): embedded - encoded,
        }
    )
    return counts
