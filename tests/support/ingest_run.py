"""Runs IngestLogs over logs in files and reads back all that it wrote, as plain Python."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow.parquet as pq
import tensorflow as tf
from apache_beam.options.pipeline_options import PipelineOptions

from transforms.check_logs import find_logs
from transforms.ingest_config import IngestConfig
from transforms.ingest_logs import DayBefore, IngestLogs, IngestOutputs
from transforms.ingest_window import IngestWindow

Row = dict[str, Any]
IN_MEMORY = ("--runner=DirectRunner", "--direct_running_mode=in_memory")


@dataclass
class Ingested:
    """What a run wrote."""

    examples: dict[str, list[list[Row]]]  # by split, the files in their order
    pairs: dict[str, list[Row]]
    catalog: list[Row]
    item_stats: list[Row]
    rejects: dict[str, list[Row]]
    counts: Row
    history: list[Row]  # of runs with a window

    def split(self, name: str) -> list[Row]:
        """All examples of a split."""
        return [example for file in self.examples[name] for example in file]


def run_ingest(
    logs: Path,
    out: Path,
    config: IngestConfig,
    log_end: int,
    beam_args: tuple[str, ...] = IN_MEMORY,
    window: IngestWindow | None = None,
    before: Path | None = None,
) -> Ingested:
    """Runs IngestLogs and reads what it wrote.

    Args:
        logs: the folder of the logs.
        out: where to.
        config: how the logs are read.
        log_end: microseconds.
        beam_args: Beam's flags.
        window: of a dated run.
        before: `out` of the day before.
    """
    names = ("examples", "query_pairs", "catalog", "item_stats", "rejects", "history")
    outputs = IngestOutputs(**{name: str(out / name) for name in names})
    with beam.Pipeline(options=PipelineOptions(list(beam_args))) as pipeline:
        files = find_logs(str(logs), config, window)
        known = DayBefore(str(before / "history"), str(before / "item_stats")) if before else None
        _ = pipeline | IngestLogs(files, config, log_end, outputs, window, known)
    return read_ingested(out)


def read_ingested(out: Path) -> Ingested:
    """Reads what IngestLogs wrote."""
    return Ingested(
        examples={
            split: _examples(out / "examples" / f"Split-{split}") for split in ("train", "eval", "test")
        },
        pairs={split: _rows(out / "query_pairs" / f"Split-{split}") for split in ("train", "eval", "test")},
        catalog=_rows(out / "catalog"),
        item_stats=_rows(out / "item_stats"),
        rejects={
            log: _rows(out / "rejects" / log) for log in ("catalog", "impressions", "searches", "purchases")
        },
        counts=json.loads((out / "rejects" / "counts.json").read_text()),
        history=_rows(out / "history"),
    )


def _rows(folder: Path) -> list[Row]:
    rows = []
    for path in sorted(folder.glob("*.parquet")):
        table = pq.read_table(path)
        for name in ("timestamp", "created_at"):
            if name in table.column_names:
                place = table.column_names.index(name)
                table = table.set_column(place, name, table.column(name).cast("int64"))
        rows += table.to_pylist()
    return rows


def _examples(folder: Path) -> list[list[Row]]:
    return [
        [read_example(record.numpy()) for record in tf.data.TFRecordDataset(str(path))]
        for path in sorted(folder.iterdir())
    ]


def read_example(record: bytes) -> Row:
    """A serialized tf.Example as lists by feature; bytes become text."""
    found = {}
    for name, feature in tf.train.Example.FromString(record).features.feature.items():
        values = getattr(feature, feature.WhichOneof("kind") or "bytes_list").value
        found[name] = [value.decode() if isinstance(value, bytes) else value for value in values]
    return found
