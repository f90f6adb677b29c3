"""Parts the rows of a log that can be used from those that cannot, each with its reason."""

from collections.abc import Callable, Iterable, Iterator

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.canonical_image import canonical_image
from transforms.ingest_config import IngestConfig
from transforms.logs import CATALOG, LogSpec
from transforms.read_log import FILE, ROW
from transforms.record_batches import concat, pack, split_by, stable_hash, unpack

USED = "used"
REJECTS = "rejects"
REASON = "reason"

_ID_SHARDS = 16

# Arrow holds two gigabytes of a column of pictures in a batch.
_SLICE_BYTES = 250_000_000

# Beside a column of pictures: the canonical ones of those that came otherwise. Until the last check is
# made the others are needed too, for a reject is kept as it came.
_CANONICAL = "_canonical_"
_LATE = "_late"


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
        A tuple of two collections of record batches: used, with a column more for each of pictures, which
        `RejectDuplicates` takes away; and rejects with a `reason` column.
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

    Only ids and places are shuffled; the rows themselves meet the (usually empty) list of duplicates. Those
    used come out with canonical pictures, the rejects with their own.

    Args:
        spec: which log.
        train_end: microseconds; rows from here on come after all others, wherever they stand, so that none of
            them takes the place of one that trains. None: rows count alike.
    """

    def __init__(self, spec: LogSpec, train_end: int | None = None):
        super().__init__()
        self.spec = spec
        self.train_end = train_end

    def expand(self, rows: beam.PCollection) -> tuple[beam.PCollection, beam.PCollection]:
        duplicates = (
            rows
            | "TakeIds" >> beam.FlatMap(_shard_ids, self.spec, self.train_end)
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

    def check(
        self, batch: pa.RecordBatch, catalog: pa.RecordBatch | None
    ) -> tuple[np.ndarray, dict[str, pa.Array]]:
        """Finds the reason of each row and its canonical pictures.

        Returns:
            Object `[rows]`, "" for a row that can be used; and by column of pictures, binary `[rows]`, the
            canonical picture where it is another than the row's own.
        """
        reasons = np.full(batch.num_rows, "", dtype=object)
        canonical: dict[str, pa.Array] = {}

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
                canonical[field.name] = self._check_images(batch.column(field.name), reasons)
        if catalog is not None and "item_id" in self.spec.schema.names:
            known = pc.is_in(batch.column("item_id"), value_set=catalog.column("item_id"))
            reject("unknown_item", ~_to_bools(known))
        for field in batch.schema:
            if pa.types.is_floating(field.type):
                reject("bad_feature", ~np.isfinite(pc.fill_null(batch.column(field.name), 0.0).to_numpy()))
        return reasons, canonical

    def _check_time(self, batch: pa.RecordBatch, reject: Callable[[str, np.ndarray], None]) -> None:
        column = batch.column(self.spec.time_column)
        if self.spec != CATALOG:
            reject("null_timestamp", _is_null(column))
        values = pc.fill_null(column.cast(pa.int64()), self.log_start).to_numpy()
        reject("time_outside_log", (values < self.log_start) | (values > self.log_end))

    def _check_images(self, images: pa.Array, reasons: np.ndarray) -> pa.Array:
        limits = self.config.max_image_bytes, self.config.max_image_pixels
        canonical: list[bytes | None] = [None] * len(images)
        for row, image in enumerate(images):
            if reasons[row] == "" and image.is_valid:
                data = image.as_py()
                found, problem = canonical_image(data, *limits)
                reasons[row] = problem or ""
                if found != data:
                    canonical[row] = found
        return pa.array(canonical, pa.binary())


class _PartRows(beam.DoFn):
    def __init__(self, checks: _RowChecks):
        self.checks = checks

    def process(self, batch: pa.RecordBatch, catalog: pa.RecordBatch | None) -> Iterator:
        for part in _slices(batch):
            reasons, canonical = self.checks.check(part, catalog)
            for name, images in canonical.items():
                part = part.append_column(_CANONICAL + name, images)
            yield from _part(part, reasons)


class _PartDuplicates(beam.DoFn):
    def process(self, batch: pa.RecordBatch, duplicates: list[tuple[int, int]]) -> Iterator:
        reasons = np.full(batch.num_rows, "", dtype=object)
        if duplicates:
            places = np.array(duplicates, dtype=np.int64)
            file, rows = batch.column(FILE)[0].as_py(), batch.column(ROW).to_numpy()
            reasons[np.isin(rows, places[places[:, 0] == file, 1])] = "duplicate_id"
        for part in _part(batch, reasons):
            yield part if isinstance(part, beam.pvalue.TaggedOutput) else _use_canonical(part)


def _slices(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Cuts a batch so that a slice has room for pictures that grow as they are encoded anew."""
    images = [batch.column(field.name) for field in batch.schema if pa.types.is_binary(field.type)]
    if not images:
        yield batch
        return
    sizes = [pc.fill_null(pc.binary_length(column), 0).to_numpy().astype(np.int64) for column in images]
    for _, part in split_by(batch, np.cumsum(np.sum(sizes, axis=0)) // _SLICE_BYTES):
        yield part


def _part(batch: pa.RecordBatch, reasons: np.ndarray) -> Iterator:
    is_used = reasons == ""
    if is_used.all():
        if batch.num_rows:
            yield batch
        return
    if is_used.any():
        yield batch.filter(pa.array(is_used))
    rejected = _drop_canonical(batch.filter(pa.array(~is_used)))
    column = pa.array(reasons[~is_used], pa.string())
    yield beam.pvalue.TaggedOutput(REJECTS, rejected.append_column(REASON, column))


def _use_canonical(batch: pa.RecordBatch) -> pa.RecordBatch:
    for place, name in enumerate(batch.schema.names):
        if _CANONICAL + name in batch.schema.names:
            images = pc.coalesce(batch.column(_CANONICAL + name), batch.column(name))
            batch = batch.set_column(place, name, images)
    return _drop_canonical(batch)


def _drop_canonical(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch.drop_columns([name for name in batch.schema.names if name.startswith(_CANONICAL)])


def _shard_ids(batch: pa.RecordBatch, spec: LogSpec, train_end: int | None) -> Iterator[tuple[int, bytes]]:
    ids = batch.select([spec.id_column, FILE, ROW]).rename_columns(["id", FILE, ROW])
    if train_end is not None:
        is_late = pc.greater_equal(batch.column(spec.time_column).cast(pa.int64()), train_end)
        ids = ids.append_column(_LATE, pc.fill_null(is_late, False))
    for shard, part in split_by(ids, stable_hash(ids.column("id")) % _ID_SHARDS):
        yield shard, pack(part)


def _find_duplicates(element: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, int]]:
    """Yields (file, row) of every row but the first of its id, late ones after all others."""
    rows = concat(map(unpack, element[1]))
    codes = rows.column("id").dictionary_encode().indices.to_numpy()
    if codes.max() + 1 == len(codes):
        return
    files, places = rows.column(FILE).to_numpy(), rows.column(ROW).to_numpy()
    late = (
        rows.column(_LATE).to_numpy(zero_copy_only=False)
        if _LATE in rows.schema.names
        else np.zeros(len(codes))
    )
    order = np.lexsort((places, files, late, codes))
    is_repeat = np.append(False, codes[order][1:] == codes[order][:-1])
    for index in order[is_repeat]:
        yield int(files[index]), int(places[index])


def _to_bools(column: pa.Array) -> np.ndarray:
    return pc.fill_null(column, False).to_numpy(zero_copy_only=False)


def _is_null(column: pa.Array) -> np.ndarray:
    return column.is_null().to_numpy(zero_copy_only=False)


def _is_blank(column: pa.Array) -> np.ndarray:
    return pc.equal(pc.fill_null(pc.binary_length(column), 0), 0).to_numpy(zero_copy_only=False)
