"""Says what a run would reject, without running it."""

import json
import logging
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from rich.console import Console
from rich.table import Table

from pipeline.beam_args import LOCAL_BEAM_ARGS
from transforms.check_logs import CheckLogs, find_logs
from transforms.ingest_config import IngestConfig
from transforms.log_counts import COUNTS_FILE, SumCounters, check_rejects, count_tree, write_counts


def check_logs(logs: str, config: IngestConfig) -> dict[str, Any]:
    """Reads the four logs and counts what can be used.

    Args:
        logs: the folder of the four logs.
        config: the features, and bounds of times and images.
    Returns:
        "read", "used", "rejects" and "reject_files", as `count_tree` arranges them, and "problems": a line
        for each log that a run would stop at.
    Raises:
        InputError: a log is missing or cannot be read.
    """
    files = find_logs(logs, config)
    log_end = config.microseconds("log_end") if config.log_end else time.time_ns() // 1000
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/{COUNTS_FILE}"
        with _silence(), beam.Pipeline(options=PipelineOptions(list(LOCAL_BEAM_ARGS))) as pipeline:
            _, _, counts = pipeline | "CheckLogs" >> CheckLogs(files, config, log_end)
            _ = (
                counts
                | "SumCounts" >> beam.CombineGlobally(SumCounters())
                | "NameCounts" >> beam.Map(count_tree)
                | "WriteCounts" >> beam.Map(write_counts, path)
            )
        with open(path, encoding="utf-8") as stream:
            found = json.load(stream)
    return found | {"problems": list(check_rejects(found, config.max_reject_fraction))}


@contextmanager
def _silence() -> Iterator[None]:
    """Mutes logging: Beam warns of its own type hints, and logs the traceback of what it raises anyway."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def print_check(counts: dict[str, Any], console: Console) -> None:
    """Prints rows read, used and rejected by log, and each reason with the file that has most of it."""
    table = Table(title="Logs", title_justify="left")
    for name in ("log", "read", "used", "rejected"):
        table.add_column(name, justify="left" if name == "log" else "right")
    for log, read in counts["read"].items():
        rejected = sum(counts["rejects"][log].values())
        table.add_row(log, f"{read:,}", f"{counts['used'][log]:,}", f"{rejected:,}")
    console.print(table)
    for log, reasons in counts["reject_files"].items():
        for reason, files in reasons.items():
            worst = max(files, key=lambda file: files[file])
            line = f"{log}: {reason} {sum(files.values()):,}, of these {files[worst]:,} in {worst}"
            console.print(line, markup=False, soft_wrap=True)
