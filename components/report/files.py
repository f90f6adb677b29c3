"""Reading and writing on every filesystem that Arrow knows: local paths, s3://, gs://, hdfs://."""

import json
import os
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from transforms.input_error import InputError


def exists(uri: str) -> bool:
    """Whether a file or folder is there."""
    filesystem, path = _resolve(uri)
    return filesystem.get_file_info(path).type != fs.FileType.NotFound


def modified_at(uri: str) -> float:
    """When a file was written last, in seconds since 1970-01-01 UTC.

    Raises:
        InputError: if there is no such file.
    """
    filesystem, path = _resolve(uri)
    modified = filesystem.get_file_info(path).mtime
    if modified is None:
        raise InputError(f"report: expected the file {uri}, found none")
    return modified.timestamp()


def read_bytes(uri: str) -> bytes:
    """The whole file.

    Raises:
        InputError: if there is no such file.
    """
    filesystem, path = _resolve(uri)
    try:
        with filesystem.open_input_stream(path) as stream:
            return stream.read()
    except FileNotFoundError:
        raise InputError(f"report: expected the file {uri}, found none") from None


def read_json(uri: str) -> Any:
    """The JSON value that a file holds.

    Raises:
        InputError: if there is no such file, or it is not JSON.
    """
    try:
        return json.loads(read_bytes(uri))
    except json.JSONDecodeError as error:
        raise InputError(f"report: expected JSON in {uri}: {error}") from None


def list_files(folder: str, suffix: str) -> list[str]:
    """Paths, inside the folder's filesystem, of the files below it that end in `suffix`, in order."""
    filesystem, path = _resolve(folder)
    infos = filesystem.get_file_info(fs.FileSelector(path, recursive=True, allow_not_found=True))
    return sorted(info.path for info in infos if info.type == fs.FileType.File and info.path.endswith(suffix))


def read_batches(folder: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Record batches of all Parquet files below a folder, one small batch in memory at a time."""
    filesystem, _ = _resolve(folder)
    for path in list_files(folder, ".parquet"):
        with filesystem.open_input_file(path) as stream:
            yield from pq.ParquetFile(stream).iter_batches(batch_size=8192, columns=list(columns))


def read_tables(folder: str) -> Iterator[pa.Table]:
    """The Parquet files below a folder, one in memory at a time, without their binary columns (pictures)."""
    filesystem, _ = _resolve(folder)
    for path in list_files(folder, ".parquet"):
        with filesystem.open_input_file(path) as stream:
            file = pq.ParquetFile(stream)
            yield file.read([field.name for field in file.schema_arrow if not pa.types.is_binary(field.type)])


def read_rows(uri: str, limit: int) -> list[dict[str, Any]]:
    """The first rows of one Parquet file.

    Raises:
        InputError: if there is no such file.
    """
    table = pq.read_table(pa.BufferReader(read_bytes(uri)))
    return table.slice(0, limit).to_pylist()


def write_text(uri: str, text: str) -> None:
    """Writes a file whole or not at all: a reader never sees half of it."""
    filesystem, path = _resolve(uri)
    filesystem.create_dir(os.path.dirname(path), recursive=True)
    unfinished = f"{path}.{uuid.uuid4().hex}.tmp"
    try:
        with filesystem.open_output_stream(unfinished) as stream:
            stream.write(text.encode("utf-8"))
        filesystem.move(unfinished, path)
    except BaseException:
        if filesystem.get_file_info(unfinished).type != fs.FileType.NotFound:
            filesystem.delete_file(unfinished)
        raise


def _resolve(uri: str) -> tuple[fs.FileSystem, str]:
    if "://" in uri:
        return fs.FileSystem.from_uri(uri)
    return fs.LocalFileSystem(), os.path.abspath(uri)
