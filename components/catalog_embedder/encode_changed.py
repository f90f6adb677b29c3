"""Encodes the items that have no vector yet."""

from collections.abc import Iterator

import apache_beam as beam
import pyarrow as pa
from apache_beam.ml.inference.base import RunInference
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from components.catalog_embedder.encoder import Encoder
from components.catalog_embedder.encoder_handler import EncoderHandler
from components.catalog_embedder.known_contents import JoinKnown, KnownContents
from components.catalog_embedder.modality import Modality
from transforms.record_batches import concat


class EncodeChanged(beam.PTransform):
    """Encodes the items whose content has no vector yet, in batches of equal size.

    Args:
        encoder: which encoder.
        batch_size: rows of a batch; only the last one of a bundle is smaller.
    Call arguments:
        A tuple of two collections of record batches: items with their contents and hashes, and vectors that
        are there already.
    Returns:
        A collection of record batches of `ENCODED_SCHEMA`.
    """

    def __init__(self, encoder: Encoder, batch_size: int):
        super().__init__()
        self.encoder = encoder
        self.batch_size = batch_size

    def expand(self, inputs: tuple[beam.PCollection, beam.PCollection]) -> beam.PCollection:
        items, kept = inputs
        known = kept | "JoinKnown" >> beam.CombineGlobally(JoinKnown())
        return (
            items
            | "DropKnown" >> beam.Map(_drop_known, self.encoder.modality, beam.pvalue.AsSingleton(known))
            | "FillBatches" >> beam.ParDo(_FillBatches(self.batch_size))
            | "Encode" >> RunInference(EncoderHandler(self.encoder).with_no_batching())
        )


def _drop_known(batch: pa.RecordBatch, modality: Modality, known: KnownContents) -> pa.RecordBatch:
    columns = ["item_id", f"{modality.name}_hash", modality.content]
    item_ids, hashes, _ = (batch.column(name) for name in columns)
    is_new = ~known.holds(item_ids, hashes) & hashes.is_valid().to_numpy(zero_copy_only=False)
    return (
        batch.select(columns).rename_columns(["item_id", "content_hash", "content"]).filter(pa.array(is_new))
    )


class _FillBatches(beam.DoFn):
    """Cuts and joins record batches to ones of equal size: an encoder is fastest with full ones."""

    def __init__(self, size: int):
        self.size = size

    def start_bundle(self) -> None:
        self.held: list[pa.RecordBatch] = []
        self.held_rows = 0

    def process(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        start = 0
        while start < batch.num_rows:
            piece = batch.slice(start, self.size - self.held_rows)
            start += piece.num_rows
            self.held.append(piece)
            self.held_rows += piece.num_rows
            if self.held_rows == self.size:
                yield self._take()

    def finish_bundle(self) -> Iterator[WindowedValue]:
        if self.held:
            window = GlobalWindow()
            yield WindowedValue(self._take(), window.max_timestamp(), [window])

    def _take(self) -> pa.RecordBatch:
        full, self.held, self.held_rows = concat(self.held), [], 0
        return full
