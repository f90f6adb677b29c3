"""Finds a log's Parquet files and checks their footers before any row is read."""

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystem import BeamIOError
from apache_beam.io.filesystems import FileSystems

from transforms.feature import Feature
from transforms.input_error import InputError
from transforms.logs import CATALOG, IMPRESSIONS, LogSpec
from transforms.period import Period

# Of a time as a footer has it, how many microseconds are how many of its units.
_UNITS = {"milliseconds": (1_000, 1), "microseconds": (1, 1), "nanoseconds": (1, 1_000)}


@dataclass(frozen=True)
class LogFile:
    """One Parquet file of a log.

    Attributes:
        path: where it is.
        rows: rows of each row group, in the file's order.
        fingerprint: changes when the file does (its size and time of writing).
        groups: the row groups to read, by their place.
    """

    path: str
    rows: tuple[int, ...]
    fingerprint: str
    groups: tuple[int, ...]

    @property
    def rows_to_read(self) -> int:
        """Rows of the row groups to read."""
        return sum(self.rows[group] for group in self.groups)


def find_log_files(
    logs: str, spec: LogSpec, features: Iterable[Feature] = (), period: Period | None = None
) -> list[LogFile]:
    """Lists a log's files, by path.

    Args:
        logs: the folder that holds the four logs, on any filesystem that Beam reads.
        spec: which log.
        features: extra columns that must be there.
        period: of the time that is wanted; None: all of it. By their footers' statistics, files and row groups
            without a row of it are left out.
    Returns:
        Without a period at least one file, and at least one row.
    Raises:
        InputError: the folder or its files are missing, empty or truncated, or a column is missing or of
            another type than the contract's.
    """
    folder = FileSystems.join(logs, spec.name)
    found = match_parquet(folder)
    if not found:
        raise InputError(f"{spec.name}: expected Parquet files below {folder}, found none")
    columns = [feature for feature in features if feature.side == side_of(spec)]
    with ThreadPoolExecutor(max_workers=16) as pool:
        files = list(pool.map(lambda entry: _inspect(entry, spec, columns, period), found))
    if not any(sum(file.rows) for file in files):
        raise InputError(f"{spec.name}: expected at least one row below {folder}, found none")
    return files if period is None else [file for file in files if file.groups]


def match_parquet(folder: str) -> list[tuple[str, str]]:
    """Paths and fingerprints of the Parquet files below a folder, by path."""
    try:
        matches = FileSystems.match([FileSystems.join(folder, "**.parquet")])
    except BeamIOError as error:
        raise InputError(f"{folder}: cannot be listed: {error}") from error
    entries = matches[0].metadata_list
    return sorted((entry.path, f"{entry.size_in_bytes}:{entry.last_updated_in_seconds}") for entry in entries)


def side_of(spec: LogSpec) -> str:
    """Whose features a log's extra columns are: the item's, the user's or nobody's."""
    return {CATALOG.name: "item", IMPRESSIONS.name: "user"}.get(spec.name, "")


def target_type(feature: Feature) -> pa.DataType:
    """The Arrow type that a feature's column is read as."""
    return pa.string() if feature.kind == "id" else pa.float32()


def _inspect(
    entry: tuple[str, str], spec: LogSpec, features: list[Feature], period: Period | None
) -> LogFile:
    path, fingerprint = entry
    try:
        with FileSystems.open(path, "application/octet-stream") as stream:
            parquet = pq.ParquetFile(stream)
            schema, metadata = parquet.schema_arrow, parquet.metadata
    except (pa.ArrowException, OSError, BeamIOError) as error:
        raise InputError(f"{spec.name}: {path} is no readable Parquet file: {_first_line(error)}") from error
    _check_columns(path, spec, schema, features)
    rows = tuple(metadata.row_group(index).num_rows for index in range(metadata.num_row_groups))
    groups = (
        group
        for group in range(len(rows))
        if period is None or period.meets(_times_of(metadata, group, spec))
    )
    return LogFile(path, rows, fingerprint, tuple(groups))


def _times_of(metadata: pq.FileMetaData, group: int, spec: LogSpec) -> tuple[int, int] | None:
    """The first and the last time in a row group, in microseconds; None where the file does not say."""
    column = next(
        place
        for place in range(metadata.num_columns)
        if metadata.schema.column(place).path == spec.time_column
    )
    unit = _UNITS.get(json.loads(metadata.schema.column(column).logical_type.to_json()).get("timeUnit", ""))
    statistics = metadata.row_group(group).column(column).statistics
    if unit is None or statistics is None or not statistics.has_min_max:
        return None
    if spec == CATALOG and (not statistics.has_null_count or statistics.null_count):
        # An item that does not say when it was made was there from the beginning.
        return None
    microseconds, units = unit
    return statistics.min_raw * microseconds // units, -(-statistics.max_raw * microseconds // units)


def _check_columns(path: str, spec: LogSpec, schema: pa.Schema, features: list[Feature]) -> None:
    wanted = {field.name: field.type for field in spec.schema} | {f.name: target_type(f) for f in features}
    for name, wanted_type in wanted.items():
        if schema.get_field_index(name) < 0:
            hint = "" if name in spec.schema.names else " (named in ingest.features)"
            raise InputError(
                f"{spec.name}: {path} has no column {name}{hint}; it has {', '.join(schema.names)}"
            )
        if not _is_readable_as(schema.field(name).type, wanted_type):
            got = schema.field(name).type
            raise InputError(f"{spec.name}: {path}: column {name} must be {wanted_type}, got {got}")


def _is_readable_as(got: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether a stored type says the same as the contract's, in another width or unit."""
    if pa.types.is_dictionary(got):
        got = got.value_type
    if got == wanted or pa.types.is_null(got):
        return True
    if pa.types.is_timestamp(wanted):
        return pa.types.is_timestamp(got) and got.tz in ("UTC", "+00:00", "Etc/UTC")
    if pa.types.is_string(wanted):
        return pa.types.is_large_string(got) or pa.types.is_string_view(got)
    if pa.types.is_binary(wanted):
        return pa.types.is_large_binary(got) or pa.types.is_binary_view(got)
    if pa.types.is_list(wanted):
        is_list = pa.types.is_list(got) or pa.types.is_large_list(got)
        return is_list and _is_readable_as(got.value_type, wanted.value_type)
    if pa.types.is_floating(wanted):
        return pa.types.is_integer(got) or pa.types.is_floating(got)
    return False


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
