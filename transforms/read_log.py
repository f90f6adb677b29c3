"""Reads a log's Parquet files into Arrow record batches."""

from collections.abc import Iterable, Iterator

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystem import BeamIOError
from apache_beam.io.filesystems import FileSystems

from transforms.feature import Feature
from transforms.input_error import InputError
from transforms.log_files import LogFile, side_of, target_type
from transforms.logs import LogSpec
from transforms.period import Period

FILE = "_file"
ROW = "_row"

_ROWS_PER_BATCH = 65_536
_ROWS_PER_BATCH_WITH_IMAGES = 4_096


class ReadLog(beam.PTransform):
    """Reads a log's Parquet files into Arrow record batches, one row group at a time.

    A batch has the contract's columns and the configured features', cast to the contract's types, and two
    more that name each row: `_file` (int32, the file's place in `files`) and `_row` (int64, from 0).

    Args:
        spec: which log.
        files: what `find_log_files` found.
        features: the configured features; those of this log's side are read.
        period: rows of another time are passed over; None: there are none.
    """

    def __init__(
        self,
        spec: LogSpec,
        files: list[LogFile],
        features: Iterable[Feature] = (),
        period: Period | None = None,
    ):
        super().__init__()
        self.spec = spec
        self.files = files
        self.schema = read_schema(spec, features)
        self.period = period

    def expand(self, root: beam.Pipeline) -> beam.PCollection:
        return (
            root
            | "ListRowGroups" >> beam.Create(self._row_groups(), reshuffle=False)
            | "SpreadRowGroups" >> beam.Reshuffle()
            | "ReadRowGroup" >> beam.ParDo(_ReadRowGroup(self.spec, self.schema, self.period))
        )

    def _row_groups(self) -> list[tuple[int, str, int, int]]:
        groups = []
        for file_index, file in enumerate(self.files):
            for group in file.groups:
                groups.append((file_index, file.path, group, sum(file.rows[:group])))
        return groups


class _ReadRowGroup(beam.DoFn):
    def __init__(self, spec: LogSpec, schema: pa.Schema, period: Period | None):
        self.spec = spec
        self.schema = schema
        self.period = period
        has_images = any(pa.types.is_binary(field.type) for field in schema)
        self.rows_per_batch = _ROWS_PER_BATCH_WITH_IMAGES if has_images else _ROWS_PER_BATCH

    def process(self, element: tuple[int, str, int, int]) -> Iterator[pa.RecordBatch]:
        file_index, path, group, first_row = element
        try:
            with FileSystems.open(path, "application/octet-stream") as stream:
                batches = pq.ParquetFile(stream).iter_batches(
                    self.rows_per_batch, row_groups=[group], columns=self.schema.names
                )
                for batch in batches:
                    # What a damaged page decodes to may look like text and be none.
                    batch.validate(full=True)
                    rows = self._take_period(_conform(batch, self.schema, file_index, first_row))
                    first_row += batch.num_rows
                    if rows.num_rows:
                        yield rows
        except (pa.ArrowException, OSError, BeamIOError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(
                f"{self.spec.name}: {path} cannot be read from row {first_row}: {reason}"
            ) from error

    def _take_period(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        if self.period is None:
            return rows
        return rows.filter(pa.array(self.period.covers(rows.column(self.spec.time_column))))


def read_schema(spec: LogSpec, features: Iterable[Feature] = ()) -> pa.Schema:
    """The columns that are read of a log, without the two that name a row."""
    schema = spec.schema
    for feature in features:
        if feature.side == side_of(spec) and feature.name not in schema.names:
            schema = schema.append(pa.field(feature.name, target_type(feature)))
    return schema


def _conform(batch: pa.RecordBatch, schema: pa.Schema, file_index: int, first_row: int) -> pa.RecordBatch:
    columns = [batch.column(field.name).cast(field.type, safe=False) for field in schema]
    files = pa.repeat(pa.scalar(file_index, pa.int32()), batch.num_rows)
    rows = pa.array(range(first_row, first_row + batch.num_rows), pa.int64())
    return pa.RecordBatch.from_arrays([*columns, files, rows], [*schema.names, FILE, ROW])
