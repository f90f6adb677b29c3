"""Writes one log as numbered Parquet files."""

from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq


class PartWriter:
    """Writes tables to `folder/part-00000.parquet` and on, holding no more than one table in memory.

    Args:
        folder: made here; must not hold parts already.
        schema: of every table.
        rows_per_group: bounds the row groups, and with them what a reader holds at once.
    """

    def __init__(self, folder: Path, schema: pa.Schema, rows_per_group: int) -> None:
        self.folder = folder
        self.schema = schema
        self.rows_per_group = rows_per_group
        self.rows = 0
        self._parts = 0
        self._file: pq.ParquetWriter | None = None
        folder.mkdir(parents=True)

    def write(self, table: pa.Table) -> None:
        """Appends rows to the current part."""
        if self._file is None:
            path = self.folder / f"part-{self._parts:05d}.parquet"
            self._file = pq.ParquetWriter(path, self.schema, compression="snappy")
        self._file.write_table(table, row_group_size=self.rows_per_group)
        self.rows += table.num_rows

    def end_part(self) -> None:
        """Completes the current part; the next rows begin another one."""
        if self._file is not None:
            self._file.close()
            self._file = None
            self._parts += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end_part()
