"""Parts the rows of a log that can be used from those that cannot, each with its reason."""

from collections.abc import Callable, Iterable, Iterator

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.image_check import image_problem
from transforms.ingest_config import IngestConfig
from transforms.logs import LogSpec
from transforms.read_log import FILE, ROW
from transforms.record_batches import concat, pack, split_by, stable_hash, unpack

USED = "used"
REJECTS = "rejects"
REASON = "reason"

_ID_SHARDS = 16


class RejectRows(beam.PTransform):
    """Parts the rows that can be used from those that cannot, by what the row itself says.

    A row gets the first reason that holds of: null_key, null_timestamp, time_outside_log, null_label,
    no_query, oversized_image, unreadable_image, unknown_item, bad_feature.

    Args:
        spec: which log.
        config: bounds of times and images.
        log_end: microseconds; rows after it lie outside the log.
        item_ids: for logs that name items, a side input of the catalog's batch; else None.
    Returns:
        A tuple of two collections of record batches: used, and rejects with a `reason` column.
    """

    def __init__(
        self,
        spec: LogSpec,
        config: IngestConfig,
        log_end: int,
        item_ids: beam.pvalue.AsSingleton | None = None,
    ):
        super().__init__()
        self.spec = spec
        self.checks = _RowChecks(spec, config, log_end)
        self.item_ids = item_ids

    def expand(self, rows: beam.PCollection) -> tuple[beam.PCollection, beam.PCollection]:
        parted = rows | "CheckRows" >> beam.ParDo(_PartRows(self.checks), self.item_ids).with_outputs(
            REJECTS, main=USED
        )
        return parted[USED], parted[REJECTS]


class RejectDuplicates(beam.PTransform):
    """Keeps the first row of each id, by file and row; later ones become rejects of reason duplicate_id.

    Only ids and places are shuffled; the rows themselves meet the (usually empty) list of duplicates.
    """

    def __init__(self, spec: LogSpec):
        super().__init__()
        self.spec = spec

    def expand(self, rows: beam.PCollection) -> tuple[beam.PCollection, beam.PCollection]:
        duplicates = (
            rows
            | "TakeIds" >> beam.FlatMap(_shard_ids, self.spec.id_column)
            | "GroupIds" >> beam.GroupByKey()
            | "FindDuplicates" >> beam.FlatMap(_find_duplicates)
        )
        parted = rows | "DropDuplicates" >> beam.ParDo(
            _PartDuplicates(), beam.pvalue.AsList(duplicates)
        ).with_outputs(REJECTS, main=USED)
        return parted[USED], parted[REJECTS]


class _RowChecks:
    """The checks that need no other row; each returns a boolean array `[rows]`, True where it fails."""

    def __init__(self, spec: LogSpec, config: IngestConfig, log_end: int):
        self.spec = spec
        self.config = config
        self.log_start = config.microseconds("log_start")
        self.log_end = log_end

    def reasons(self, batch: pa.RecordBatch, catalog: pa.RecordBatch | None) -> np.ndarray:
        """The reason of each row, "" for one that can be used. Returns object `[rows]`."""
        reasons = np.full(batch.num_rows, "", dtype=object)

        def reject(reason: str, fails: np.ndarray) -> None:
            reasons[fails & (reasons == "")] = reason

        for key in self.spec.keys:
            reject("null_key", _is_blank(batch.column(key)))
        self._check_time(batch, reject)
        if "clicked" in self.spec.schema.names:
            reject("null_label", _is_null(batch.column("clicked")))
        if "query_text" in self.spec.schema.names:
            reject("no_query", _is_blank(batch.column("query_text")) & _is_blank(batch.column("query_image")))
        for field in self.spec.schema:
            if pa.types.is_binary(field.type):
                self._check_images(batch.column(field.name), reasons)
        if catalog is not None and "item_id" in self.spec.schema.names:
            known = pc.is_in(batch.column("item_id"), value_set=catalog.column("item_id"))
            reject("unknown_item", ~_to_bools(known))
        for field in batch.schema:
            if pa.types.is_floating(field.type):
                reject("bad_feature", ~np.isfinite(pc.fill_null(batch.column(field.name), 0.0).to_numpy()))
        return reasons

    def _check_time(self, batch: pa.RecordBatch, reject: Callable[[str, np.ndarray], None]) -> None:
        is_stamped = "timestamp" in self.spec.schema.names
        column = batch.column("timestamp" if is_stamped else "created_at")
        if is_stamped:
            reject("null_timestamp", _is_null(column))
        values = pc.fill_null(column.cast(pa.int64()), self.log_start).to_numpy()
        reject("time_outside_log", (values < self.log_start) | (values > self.log_end))

    def _check_images(self, images: pa.Array, reasons: np.ndarray) -> None:
        limits = self.config.max_image_bytes, self.config.max_image_pixels
        for row, image in enumerate(images):
            if reasons[row] == "" and image.is_valid:
                reasons[row] = image_problem(image.as_py(), *limits) or ""


class _PartRows(beam.DoFn):
    def __init__(self, checks: _RowChecks):
        self.checks = checks

    def process(self, batch: pa.RecordBatch, catalog: pa.RecordBatch | None) -> Iterator:
        reasons = self.checks.reasons(batch, catalog)
        yield from _part(batch, reasons)


class _PartDuplicates(beam.DoFn):
    def process(self, batch: pa.RecordBatch, duplicates: list[tuple[int, int]]) -> Iterator:
        reasons = np.full(batch.num_rows, "", dtype=object)
        if duplicates:
            places = np.array(duplicates, dtype=np.int64)
            file, rows = batch.column(FILE)[0].as_py(), batch.column(ROW).to_numpy()
            reasons[np.isin(rows, places[places[:, 0] == file, 1])] = "duplicate_id"
        yield from _part(batch, reasons)


def _part(batch: pa.RecordBatch, reasons: np.ndarray) -> Iterator:
    is_used = reasons == ""
    if is_used.all():
        if batch.num_rows:
            yield batch
        return
    if is_used.any():
        yield batch.filter(pa.array(is_used))
    rejected = batch.filter(pa.array(~is_used))
    column = pa.array(reasons[~is_used], pa.string())
    yield beam.pvalue.TaggedOutput(REJECTS, rejected.append_column(REASON, column))


def _shard_ids(batch: pa.RecordBatch, id_column: str) -> Iterator[tuple[int, bytes]]:
    ids = batch.select([id_column, FILE, ROW]).rename_columns(["id", FILE, ROW])
    for shard, part in split_by(ids, stable_hash(ids.column("id")) % _ID_SHARDS):
        yield shard, pack(part)


def _find_duplicates(element: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, int]]:
    """Yields (file, row) of every row but the first of its id."""
    rows = concat(map(unpack, element[1]))
    codes = rows.column("id").dictionary_encode().indices.to_numpy()
    if codes.max() + 1 == len(codes):
        return
    files, places = rows.column(FILE).to_numpy(), rows.column(ROW).to_numpy()
    order = np.lexsort((places, files, codes))
    is_repeat = np.append(False, codes[order][1:] == codes[order][:-1])
    for index in order[is_repeat]:
        yield int(files[index]), int(places[index])


def _to_bools(column: pa.Array) -> np.ndarray:
    return pc.fill_null(column, False).to_numpy(zero_copy_only=False)


def _is_null(column: pa.Array) -> np.ndarray:
    return column.is_null().to_numpy(zero_copy_only=False)


def _is_blank(column: pa.Array) -> np.ndarray:
    return pc.equal(pc.fill_null(pc.binary_length(column), 0), 0).to_numpy(zero_copy_only=False)
