"""Parquet files as models read them, on every filesystem that Arrow knows."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs
import pyarrow.parquet as pq

from transforms.input_error import InputError


def list_files(folder: str) -> list[str]:
    """The Parquet files of a folder, sorted. Whole paths, local or of a filesystem that Arrow knows."""
    # Arrow lists as TensorFlow does, and takes no seconds to be imported.
    filesystem, path = _locate(folder)
    found = filesystem.get_file_info(pyarrow.fs.FileSelector(path, allow_not_found=True))
    return sorted(f"{folder}/{each.base_name}" for each in found if each.base_name.endswith(".parquet"))


def read_table(folder: str, columns: Sequence[str], what: str) -> pa.Table:
    """Reads all Parquet files of a folder.

    Args:
        folder: a path or URI.
        columns: the columns to read; one that the files lack is left out.
        what: that the files hold, for the error.
    Raises:
        InputError: if there is no file.
    """
    tables = []
    for file in list_files(folder):
        with open_parquet(file) as stream:
            tables.append(stream.read(list(columns)))
    if not tables:
        raise InputError(f"expected {what} in {folder}, got no file")
    return pa.concat_tables(tables)


def open_parquet(file: str) -> pq.ParquetFile:
    """Opens a file, a local path or a URI; close it, or use it in a `with`."""
    filesystem, path = _locate(file)
    return pq.ParquetFile(path, filesystem=filesystem)


def is_there(column: pa.Array) -> pa.Array:
    """bool `[rows]`, never null: False for null, for no bytes and for a text of blanks alone."""
    if pa.types.is_string(column.type):
        column = pc.utf8_trim_whitespace(column)
    return pc.greater(pc.fill_null(pc.binary_length(column), 0), 0)


def _locate(place: str) -> tuple[pyarrow.fs.FileSystem, str]:
    """The filesystem of a path or URI, and the path there."""
    if "://" in place:
        filesystem, path = pyarrow.fs.FileSystem.from_uri(place)
        return filesystem, path
    return pyarrow.fs.LocalFileSystem(), place
