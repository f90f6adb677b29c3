"""Writes record batches as Parquet files, whole or not at all."""

from collections.abc import Callable, Iterator
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems


class WriteParquet(beam.PTransform):
    """Writes each element's batch to the file that its key names.

    Args:
        directory: where to.
        name: from an element's key to a file's path below `directory`, without the suffix.
    Call arguments:
        A collection of (key, record batch), each key once.
    Returns:
        A collection of (key, rows) for each file written.
    """

    def __init__(self, directory: str, name: Callable[[Any], str]):
        super().__init__()
        self.directory = directory
        self.name = name

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        return batches | "WriteFile" >> beam.FlatMap(_write, self.directory, self.name)


def _write(element: tuple, directory: str, name: Callable[[Any], str]) -> Iterator[tuple[Any, int]]:
    key, batch = element
    write_parquet(f"{directory}/{name(key)}.parquet", batch)
    yield key, batch.num_rows


def write_parquet(path: str, batch: pa.RecordBatch) -> None:
    """Writes one batch to a file on any filesystem that Beam writes; a half-written file has another name."""
    make_folders(path.rsplit("/", 1)[0])
    partial = f"{path}.partial"
    with FileSystems.create(partial, "application/octet-stream", CompressionTypes.UNCOMPRESSED) as stream:
        pq.write_table(pa.Table.from_batches([batch]), stream)
    if FileSystems.exists(path):
        FileSystems.delete([path])
    FileSystems.rename([partial], [path])


def make_folders(folder: str) -> None:
    """Makes a folder and its parents where they are missing; another worker may do so at the same time."""
    try:
        FileSystems.mkdirs(folder)
    except OSError:
        if not FileSystems.exists(folder):
            raise
