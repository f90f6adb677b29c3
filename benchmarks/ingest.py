"""LogIngest over a million impressions with 50 behaviors each, next to the same job in Beam by the row.

    python benchmarks/ingest.py [--quick]

Rows are impressions; each user also has 50 purchases before the first of them. First both versions run over
a slice of the logs and must write the same examples and item stats. Then rounds: the version by the row and
LogIngest over all rows, and LogIngest over logs twice as long. Every measurement is a process of its own on
Beam's in-memory runner, timed from the first look at the files to the last one written; imports are not timed
but are part of the peak memory. Rounds are interleaved, so that a machine busy for a while is so for all, and
a ratio is the median of the rounds' ratios. Processor seconds stand beside, which other work disturbs less.
"""

import argparse
import logging
import multiprocessing
import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.made_logs import DAY, DAYS, IMPRESSIONS_PER_USER, START, make_logs, take_users
from benchmarks.reporting import Bar, progress, report
from transforms.ingest_config import IngestConfig
from transforms.time_splits import SPLITS, iso

CONFIG = IngestConfig(train_end=iso(START + (DAYS - 6) * DAY), eval_end=iso(START + (DAYS - 3) * DAY))
LOG_END = START + (DAYS + 1) * DAY


@dataclass(frozen=True)
class Sizes:
    """Users of each of the logs, 100 impressions a user, and items of all."""

    slice: int
    once: int
    items: int

    def users(self) -> dict[str, int]:
        """Users of each log."""
        return {"slice": self.slice, "once": self.once, "twice": 2 * self.once}

    def rows(self, log: str) -> int:
        """Impressions of a log."""
        return self.users()[log] * IMPRESSIONS_PER_USER


FULL = Sizes(slice=200, once=10_000, items=100_000)
QUICK = Sizes(slice=50, once=3_000, items=30_000)
ROUNDS = 3


@dataclass(frozen=True)
class Measurement:
    """One run: how long it took, how much of a processor, and the most memory its process held."""

    seconds: float
    cpu_seconds: float
    peak_memory_mib: float


def main() -> None:
    """Makes the logs, checks that both versions agree, measures in rounds, and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a third of the rows, for a look")
    sizes = QUICK if parser.parse_args().quick else FULL
    with tempfile.TemporaryDirectory(prefix="adlens-ingest-") as name:
        folder = Path(name)
        _make_all_logs(folder, sizes)
        progress(f"both versions over {sizes.rows('slice'):,} rows: the same examples and item stats?")
        compared = _in_new_process(_check_agreement, folder / "slice", folder / "agreement")
        progress(f"yes, all {compared:,} examples")
        rounds = [_measure_round(folder, sizes, number) for number in range(1, ROUNDS + 1)]
    _report(sizes, compared, rounds)


def _make_all_logs(folder: Path, sizes: Sizes) -> None:
    for log in ("once", "twice"):
        progress(f"making logs of {sizes.rows(log):,} impressions")
        _in_new_process(make_logs, folder / log, sizes.users()[log], sizes.items)
    _in_new_process(take_users, folder / "once", folder / "slice", sizes.slice)


def _measure_round(folder: Path, sizes: Sizes, number: int) -> dict[str, Measurement]:
    plan = {
        "per_row": (ingest_per_row, "once"),
        "adlens": (ingest, "once"),
        "adlens_twice": (ingest, "twice"),
    }
    measured = {}
    for name, (version, log) in plan.items():
        measured[name] = _measure(version, folder, log)
        progress(f"round {number} of {ROUNDS}: {name}, {sizes.rows(log):,} rows: {measured[name]}")
    return measured


def _measure(version: Callable[[Path, Path], None], folder: Path, log: str) -> Measurement:
    out = folder / "out"
    measured = _in_new_process(_measure_here, version, folder / log, out)
    shutil.rmtree(out)
    return measured


def _measure_here(version: Callable[[Path, Path], None], logs: Path, out: Path) -> Measurement:
    _import_all()
    started, cpu_started = time.perf_counter(), time.process_time()
    version(logs, out)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    peak_memory_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Measurement(round(seconds, 2), round(cpu_seconds, 2), round(peak_memory_mib))


def _in_new_process(function: Callable, *args: Any) -> Any:
    """Calls in a new Python. This one stays small: a child's peak starts at its parent's, on Linux."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


def _import_all() -> None:
    """Imports what both versions need, which is not what is timed, and quiets the libraries."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    logging.getLogger().setLevel(logging.ERROR)
    import benchmarks.per_row_ingest  # noqa: F401
    import transforms.ingest_logs  # noqa: F401


def ingest(logs: Path, out: Path) -> None:
    """Runs LogIngest's transform."""
    import apache_beam as beam

    from transforms.check_logs import find_logs
    from transforms.ingest_logs import IngestLogs, IngestOutputs

    outputs = IngestOutputs(
        *(f"{out}/{name}" for name in ("examples", "query_pairs", "catalog", "item_stats", "rejects"))
    )
    with beam.Pipeline(options=_beam_options()) as pipeline:
        _ = pipeline | IngestLogs(find_logs(str(logs), CONFIG), CONFIG, LOG_END, outputs)


def ingest_per_row(logs: Path, out: Path) -> None:
    """Runs the version by the row."""
    import apache_beam as beam

    from benchmarks.per_row_ingest import IngestPerRow

    with beam.Pipeline(options=_beam_options()) as pipeline:
        _ = pipeline | IngestPerRow(str(logs), CONFIG, LOG_END, f"{out}/examples", f"{out}/item_stats")


def _beam_options() -> Any:
    from apache_beam.options.pipeline_options import PipelineOptions

    from pipeline.beam_args import LOCAL_BEAM_ARGS

    return PipelineOptions(list(LOCAL_BEAM_ARGS))


def _check_agreement(logs: Path, out: Path) -> int:
    """Runs both versions and compares what they wrote. Returns the number of examples."""
    _import_all()
    ingest(logs, out / "adlens")
    ingest_per_row(logs, out / "per_row")
    ours, theirs = _examples(out / "adlens"), _examples(out / "per_row")
    differing = [key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)]
    if differing:
        key = min(differing)
        raise SystemExit(
            f"{len(differing)} examples differ, such as {key}: {ours.get(key)}, {theirs.get(key)}"
        )
    if _item_stats(out / "adlens") != _item_stats(out / "per_row"):
        raise SystemExit("the item stats differ")
    shutil.rmtree(out)
    return len(ours)


def _examples(out: Path) -> dict[tuple[str, bytes], dict[str, list]]:
    """All examples by split and impression, a dictionary of values each."""
    import tensorflow as tf

    examples = {}
    for split in SPLITS:
        files = [str(path) for path in (out / "examples" / f"Split-{split}").iterdir()]
        for record in tf.data.TFRecordDataset(files).as_numpy_iterator():
            values = {}
            for name, feature in tf.train.Example.FromString(record).features.feature.items():
                kind = feature.WhichOneof("kind")
                values[name] = list(getattr(feature, kind).value) if kind else []
            examples[split, values["impression_id"][0]] = values
    return examples


def _item_stats(out: Path) -> list[dict]:
    import pyarrow.parquet as pq

    return pq.read_table(out / "item_stats").sort_by("item_id").to_pylist()


def _report(sizes: Sizes, compared: int, rounds: list[dict[str, Measurement]]) -> None:
    def ratio(over: str, under: str, figure: str = "seconds") -> float:
        ratios = (getattr(measured[over], figure) / getattr(measured[under], figure) for measured in rounds)
        return round(statistics.median(ratios), 2)

    figures: dict[str, Any] = {f"rows_{log}": sizes.rows(log) for log in ("once", "twice")}
    figures["examples_compared"] = compared
    for name in rounds[0]:
        rows = sizes.rows("twice" if name == "adlens_twice" else "once")
        for field in fields(Measurement):
            figures[f"{name}_{field.name}"] = statistics.median(getattr(m[name], field.name) for m in rounds)
        figures[f"{name}_rows_per_second"] = round(rows / figures[f"{name}_seconds"])
    figures["faster_than_per_row_by_cpu_seconds"] = ratio("per_row", "adlens", "cpu_seconds")
    figures["doubling_by_cpu_seconds"] = ratio("adlens_twice", "adlens", "cpu_seconds")
    bars = {
        "faster_than_per_row": Bar(ratio("per_row", "adlens"), at_least=5),
        "doubling": Bar(ratio("adlens_twice", "adlens"), at_most=2.2),
    }
    report("ingest", figures, bars)


if __name__ == "__main__":
    main()
