"""Parquet files as models read them, on every filesystem that Arrow knows."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs
import pyarrow.parquet as pq
import tensorflow as tf


def list_files(folder: str) -> list[str]:
    """The Parquet files of a folder, sorted. Whole paths, local or of a filesystem that Arrow knows."""
    return sorted(tf.io.gfile.glob(f"{folder}/*.parquet"))


def open_parquet(file: str) -> pq.ParquetFile:
    """Opens a file, a local path or a URI; close it, or use it in a `with`."""
    filesystem, path = pyarrow.fs.FileSystem.from_uri(file) if "://" in file else (None, file)
    return pq.ParquetFile(path, filesystem=filesystem)


def is_there(column: pa.Array) -> pa.Array:
    """bool `[rows]`, never null: False for null, for no bytes and for a text of blanks alone."""
    if pa.types.is_string(column.type):
        column = pc.utf8_trim_whitespace(column)
    return pc.greater(pc.fill_null(pc.binary_length(column), 0), 0)
