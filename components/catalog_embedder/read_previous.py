"""Reads those vectors of the last run that its encoder would give again."""

from collections.abc import Iterator

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc

from components.catalog_embedder.encoded_items import ENCODED_SCHEMA
from components.catalog_embedder.encoder import Encoder
from transforms.read_parquet import ParquetFile, ReadParquet


class ReadPrevious(beam.PTransform):
    """Reads the vectors of a modality that came from an encoder.

    Args:
        files: files of embeddings with this modality's columns.
        encoder: vectors of another fingerprint are left out.
    Returns:
        A collection of record batches of `ENCODED_SCHEMA`, without reasons.
    """

    def __init__(self, files: list[ParquetFile], encoder: Encoder):
        super().__init__()
        self.files = files
        self.encoder = encoder

    def expand(self, root: beam.Pipeline) -> beam.PCollection:
        name = self.encoder.modality.name
        columns = ["item_id", f"{name}_hash", f"{name}_embedding", f"has_{name}", f"{name}_encoder"]
        return (
            root
            | "Read" >> ReadParquet(self.files, columns)
            | "TakeVectors" >> beam.FlatMap(_take_vectors, self.encoder)
        )


def _take_vectors(batch: pa.RecordBatch, encoder: Encoder) -> Iterator[pa.RecordBatch]:
    item_ids, hashes, vectors, has_vector, fingerprints = batch.columns
    same_encoder = pc.equal(fingerprints, encoder.fingerprint)
    same_length = pc.equal(pc.list_value_length(vectors), encoder.embedding_dim)
    is_usable = pc.and_(pc.and_(has_vector, same_encoder), same_length)
    reasons = pa.nulls(batch.num_rows, pa.string())
    rows = pa.RecordBatch.from_arrays([item_ids, hashes, vectors, reasons], schema=ENCODED_SCHEMA)
    usable = rows.filter(is_usable)
    if usable.num_rows:
        yield usable
