"""Reads the four logs and parts the rows that can be used from the others."""

from collections import Counter

import apache_beam as beam
import pyarrow as pa

from transforms.catalog_index import IndexCatalog
from transforms.ingest_config import IngestConfig
from transforms.ingest_window import IngestWindow
from transforms.log_files import LogFile, find_log_files
from transforms.logs import CATALOG, LOGS, LogSpec
from transforms.period import Period
from transforms.read_log import FILE, ReadLog
from transforms.reject_rows import REASON, RejectDuplicates, RejectRows


def find_logs(
    logs: str, config: IngestConfig, window: IngestWindow | None = None
) -> dict[str, list[LogFile]]:
    """Lists the files of the four logs and checks their columns; with a window those alone that have rows of it.

    Raises:
        InputError: see `find_log_files`.
    """
    periods = _periods(config, window)
    return {spec.name: find_log_files(logs, spec, config.features, periods[spec.name]) for spec in LOGS}


class CheckLogs(beam.PTransform):
    """Reads the four logs, parts the rows that can be used from the others, and counts both.

    Args:
        files: what `find_logs` found.
        config: the features, and bounds of times and images.
        log_end: microseconds; rows after it lie outside the log.
        window: the part of the logs that is read; None: all.
    Returns:
        A tuple of used (collections of record batches, by log), rejects (a collection of (log, batch))
        and counts (a collection of Counters).
    """

    def __init__(
        self,
        files: dict[str, list[LogFile]],
        config: IngestConfig,
        log_end: int,
        window: IngestWindow | None = None,
    ):
        super().__init__()
        self.files = files
        self.config = config
        self.log_end = log_end
        self.periods = _periods(config, window)
        self.train_end = window.train_end if window else None

    def expand(self, root: beam.Pipeline) -> tuple:
        used: dict[str, beam.PCollection] = {}
        rejects: list[beam.PCollection] = []
        counts: list[beam.PCollection] = []
        catalog = None
        for spec in LOGS:
            item_ids = None if spec is CATALOG else catalog
            parts = root | spec.name >> _CheckLog(
                spec,
                self.files[spec.name],
                self.config,
                self.log_end,
                item_ids,
                self.periods[spec.name],
                self.train_end,
            )
            used[spec.name] = parts[0]
            rejects.append(parts[1])
            counts.append(parts[2])
            if spec is CATALOG:
                index = used[spec.name] | "IndexCatalog" >> IndexCatalog(self.config.side("item"))
                used["index"] = index
                catalog = beam.pvalue.AsSingleton(index)
        return used, rejects | "FlattenRejects" >> beam.Flatten(), counts | "FlattenCounts" >> beam.Flatten()


class _CheckLog(beam.PTransform):
    def __init__(
        self,
        spec: LogSpec,
        files: list[LogFile],
        config: IngestConfig,
        log_end: int,
        item_ids: beam.pvalue.AsSingleton | None,
        period: Period | None,
        train_end: int | None,
    ):
        super().__init__()
        self.spec = spec
        self.files = files
        self.config = config
        self.log_end = log_end
        self.item_ids = item_ids
        self.period = period
        self.train_end = train_end

    def expand(self, root: beam.Pipeline) -> tuple:
        log = self.spec.name
        rows = root | "Read" >> ReadLog(self.spec, self.files, self.config.features, self.period)
        usable, unusable = rows | "RejectRows" >> RejectRows(
            self.spec, self.config, self.log_end, self.item_ids
        )
        used, duplicates = usable | "RejectDuplicates" >> RejectDuplicates(self.spec, self.train_end)
        rejects = (
            (unusable, duplicates)
            | "FlattenRejects" >> beam.Flatten()
            | "NameLog" >> beam.Map(lambda batch, log: (log, batch), log)
        )
        paths = [file.path for file in self.files]
        counts = (
            rows | "CountRead" >> beam.Map(lambda batch, log: Counter({("read", log): batch.num_rows}), log),
            used | "CountUsed" >> beam.Map(lambda batch, log: Counter({("used", log): batch.num_rows}), log),
            rejects | "CountRejects" >> beam.Map(_count_rejects, paths),
        ) | "FlattenCounts" >> beam.Flatten()
        return used, rejects, counts


def _periods(config: IngestConfig, window: IngestWindow | None) -> dict[str, Period | None]:
    """By log, the time that is read of it; None for all."""
    if window is None:
        return dict.fromkeys(spec.name for spec in LOGS)
    return {spec.name: window.period(spec, config.attribution_microseconds) for spec in LOGS}


def _count_rejects(element: tuple[str, pa.RecordBatch], paths: list[str]) -> Counter:
    log, batch = element
    path = paths[batch.column(FILE)[0].as_py()]
    counts = batch.column(REASON).value_counts()
    return Counter({("rejects", log, entry["values"], path): entry["counts"] for entry in counts.to_pylist()})
