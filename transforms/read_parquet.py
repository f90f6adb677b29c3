"""Reads columns of the Parquet files that an earlier stage wrote."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystem import BeamIOError
from apache_beam.io.filesystems import FileSystems

from transforms.input_error import InputError

# Pictures are among what is read, so a batch is no more than some tens of megabytes.
_ROWS_PER_BATCH = 1_024


@dataclass(frozen=True)
class ParquetFile:
    """One Parquet file.

    Attributes:
        path: where it is.
        rows: rows of each row group, in the file's order.
        schema: its columns, as Arrow has them.
    """

    path: str
    rows: tuple[int, ...]
    schema: pa.Schema


def find_parquet(pattern: str) -> list[ParquetFile]:
    """Lists the Parquet files that a pattern matches, by path; reads their footers alone.

    Raises:
        InputError: a file is no Parquet file.
    """
    try:
        entries = FileSystems.match([pattern])[0].metadata_list
    except BeamIOError as error:
        raise InputError(f"{pattern}: cannot be listed: {error}") from error
    return [_inspect(path) for path in sorted(entry.path for entry in entries)]


class ReadParquet(beam.PTransform):
    """Reads columns of Parquet files into Arrow record batches, one row group at a time.

    Args:
        files: what `find_parquet` found.
        columns: the columns to read, in this order.
        rows_per_batch: at most so many rows in a batch.
    Returns:
        A collection of record batches.
    """

    def __init__(
        self, files: Sequence[ParquetFile], columns: Sequence[str], rows_per_batch: int = _ROWS_PER_BATCH
    ):
        super().__init__()
        self.files = files
        self.columns = list(columns)
        self.rows_per_batch = rows_per_batch

    def expand(self, root: beam.Pipeline) -> beam.PCollection:
        groups = [(file.path, group) for file in self.files for group in range(len(file.rows))]
        return (
            root
            | "ListRowGroups" >> beam.Create(groups, reshuffle=False)
            | "SpreadRowGroups" >> beam.Reshuffle()
            | "ReadRowGroup" >> beam.FlatMap(_read, self.columns, self.rows_per_batch)
        )


def _inspect(path: str) -> ParquetFile:
    try:
        with FileSystems.open(path, "application/octet-stream") as stream:
            parquet = pq.ParquetFile(stream)
            schema, metadata = parquet.schema_arrow, parquet.metadata
    except (pa.ArrowException, OSError, BeamIOError) as error:
        raise InputError(f"{path} is no readable Parquet file: {_first_line(error)}") from error
    rows = tuple(metadata.row_group(group).num_rows for group in range(metadata.num_row_groups))
    return ParquetFile(path, rows, schema)


def _read(element: tuple[str, int], columns: list[str], rows_per_batch: int) -> Iterator[pa.RecordBatch]:
    path, group = element
    try:
        with FileSystems.open(path, "application/octet-stream") as stream:
            parquet = pq.ParquetFile(stream)
            for batch in parquet.iter_batches(rows_per_batch, row_groups=[group], columns=columns):
                yield batch.select(columns)
    except (pa.ArrowException, OSError, BeamIOError) as error:
        raise InputError(f"{path} cannot be read: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
