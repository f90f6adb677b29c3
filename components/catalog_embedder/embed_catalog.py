"""From the catalog to vectors of its items, encoding only what is new or has changed."""

from collections import Counter
from collections.abc import Iterator, Mapping

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.catalog_embedder.config import EmbedderConfig
from components.catalog_embedder.encode_changed import EncodeChanged
from components.catalog_embedder.encoder import Encoder
from components.catalog_embedder.join_items import JoinItems
from components.catalog_embedder.modality import IMAGE, MODALITIES, TEXT, Modality
from components.catalog_embedder.previous_embeddings import usable_files
from components.catalog_embedder.read_previous import ReadPrevious
from transforms.log_counts import COUNTS_FILE, SumCounters, write_counts
from transforms.read_parquet import ParquetFile, ReadParquet
from transforms.record_batches import pack, split_by, stable_hash
from transforms.write_parquet import WriteParquet


class EmbedCatalog(beam.PTransform):
    """From the catalog to vectors of its items, encoding only what is new or has changed.

    Pictures and titles are encoded where they are read. What is shuffled, by a hash of the item, is ids,
    hashes of contents, and vectors; in each shard items, fresh vectors and those of the last run meet.

    Args:
        catalog: files of the catalog.
        encoders: by name of modality; at least one.
        previous: files of the last embeddings.
        config: batches and shards.
        output: the directory to write to.
    Returns:
        A collection of one dictionary, what `counts.json` says.
    """

    def __init__(
        self,
        catalog: list[ParquetFile],
        encoders: Mapping[str, Encoder],
        previous: list[ParquetFile],
        config: EmbedderConfig,
        output: str,
    ):
        super().__init__()
        self.catalog = catalog
        self.encoders = dict(encoders)
        self.previous = previous
        self.config = config
        self.output = output

    def expand(self, root: beam.Pipeline) -> beam.PCollection:
        shards = self._num_shards()
        columns = ["item_id", *(modality.content for modality in MODALITIES)]
        items = (
            root
            | "ReadCatalog" >> ReadParquet(self.catalog, columns)
            | "HashContents" >> beam.Map(_hash_contents)
        )
        parts = {"items": items | "DropContents" >> beam.Map(_drop_contents)}
        for name, encoder in self.encoders.items():
            previous = usable_files(self.previous, encoder.modality)
            kept = root | f"ReadPrevious_{name}" >> ReadPrevious(previous, encoder)
            encode = EncodeChanged(encoder, self.config.batch_size)
            parts[f"fresh_{name}"] = (items, kept) | f"EncodeChanged_{name}" >> encode
            parts[f"kept_{name}"] = kept
        sharded = {
            part: batches | f"Shard_{part}" >> beam.FlatMap(_shard, shards) for part, batches in parts.items()
        }
        embeddings, rejects, counts = sharded | "JoinItems" >> JoinItems(self.encoders)
        _ = embeddings | "WriteEmbeddings" >> WriteParquet(self.output, "embeddings-{:05d}".format)
        _ = rejects | "WriteRejects" >> WriteParquet(f"{self.output}/rejects", "rejects-{:05d}".format)
        return (
            counts
            | "SumCounts" >> beam.CombineGlobally(SumCounters())
            | "NameCounts" >> beam.Map(_name_counts)
            | "WriteCounts" >> beam.Map(write_counts, f"{self.output}/{COUNTS_FILE}")
        )

    def _num_shards(self) -> int:
        rows = sum(sum(file.rows) for file in self.catalog)
        return max(1, -(-rows // self.config.rows_per_file))


def _hash_contents(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Adds a hash of each picture and title, null where there is none; a blank title is none."""
    absent = {
        IMAGE.name: batch.column(IMAGE.content).is_null(),
        TEXT.name: _is_blank(batch.column(TEXT.content)),
    }
    for modality in MODALITIES:
        hashes = stable_hash(batch.column(modality.content)).view(np.int64)
        mask = absent[modality.name].to_numpy(zero_copy_only=False)
        batch = batch.append_column(_hash_name(modality), pa.array(hashes, mask=mask))
    return batch


def _is_blank(texts: pa.Array) -> pa.Array:
    return pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(pc.fill_null(texts, ""))), 0)


def _hash_name(modality: Modality) -> str:
    return f"{modality.name}_hash"


def _drop_contents(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch.select(["item_id", *map(_hash_name, MODALITIES)])


def _shard(batch: pa.RecordBatch, num_shards: int) -> Iterator[tuple[int, bytes]]:
    keys = stable_hash(batch.column("item_id")) % np.uint64(num_shards)
    for shard, rows in split_by(batch, keys.astype(np.int64)):
        yield shard, pack(rows)


def _name_counts(counts: Counter) -> dict:
    """Arranges counts as `counts.json` has them."""
    image, text = IMAGE.name, TEXT.name
    by_modality = {
        part: {modality.name: counts[part, modality.name] for modality in MODALITIES}
        for part in ("with", "embeddings", "encoded", "reused")
    }
    rejects: dict[str, dict[str, int]] = {modality.name: {} for modality in MODALITIES}
    for key, count in sorted((key, count) for key, count in counts.items() if key[0] == "rejects"):
        rejects[key[1]][key[2]] = count
    return {
        "items": counts[("items",)],
        "with_image": by_modality["with"][image],
        "with_title": by_modality["with"][text],
        **{f"{name}_embeddings": count for name, count in by_modality["embeddings"].items()},
        **{
            f"{name}_coverage": count / by_modality["with"][name] if by_modality["with"][name] else None
            for name, count in by_modality["embeddings"].items()
        },
        "encoded": by_modality["encoded"],
        "reused": by_modality["reused"],
        "rejects": rejects,
    }
