"""LogIngest over a million impressions with 50 behaviors each, next to the same job in Beam by the row.

    python benchmarks/ingest.py [--quick] [--full-baseline]

Rows are impressions; each user also has 50 purchases before the first of them. Every measurement is a
process of its own on Beam's in-memory runner, timed from the first look at the files to the last one
written, and its peak memory is the process's, imports included. First both versions run on a slice of the
logs and must write the same examples and item stats.

By the row a million impressions take many minutes, so that version is timed on two slices (all events of
some users). Its rows a second are those between the two sizes: what it costs once, such as its reading of
the catalog, is not held against it, and its cost for a row does not fall with more rows. LogIngest's rows a
second include what it costs once. --full-baseline runs the other version over all rows too, once. Rounds are
interleaved, so that a machine busy for a while is so for all; a ratio is the median of the rounds' ratios.
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
from dataclasses import dataclass
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

    once: int
    few: int
    some: int
    items: int
    rounds: int = 3

    def users(self) -> dict[str, int]:
        """Users of each log."""
        return {"few": self.few, "some": self.some, "once": self.once, "twice": 2 * self.once}

    def rows(self, log: str) -> int:
        """Impressions of a log."""
        return self.users()[log] * IMPRESSIONS_PER_USER


FULL = Sizes(once=10_000, few=200, some=1_000, items=100_000)
QUICK = Sizes(once=2_000, few=100, some=300, items=20_000)


@dataclass(frozen=True)
class Measurement:
    """One run: how long it took and the most memory its process held."""

    seconds: float
    peak_memory_mib: float


def main() -> None:
    """Makes the logs, checks that both versions agree, measures in rounds, and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a fifth of the rows, for a look")
    parser.add_argument(
        "--full-baseline", action="store_true", help="run the version by the row over all rows too"
    )
    options = parser.parse_args()
    sizes = QUICK if options.quick else FULL
    with tempfile.TemporaryDirectory(prefix="adlens-ingest-") as name:
        folder = Path(name)
        _make_all_logs(folder, sizes)
        progress("both versions over the smallest slice: same examples?")
        compared = _in_new_process(_check_agreement, folder / "few", folder / "agreement")
        progress(f"yes, all {compared:,} of them")
        rounds = [_measure_round(folder, sizes, number) for number in range(sizes.rounds)]
        full = _measure(ingest_per_row, folder, "once") if options.full_baseline else None
    _report(sizes, rounds, full)


def _make_all_logs(folder: Path, sizes: Sizes) -> None:
    for log in ("once", "twice"):
        progress(f"making logs of {sizes.rows(log):,} impressions")
        _in_new_process(make_logs, folder / log, sizes.users()[log], sizes.items)
    for log in ("few", "some"):
        _in_new_process(take_users, folder / "once", folder / log, sizes.users()[log])


def _measure_round(folder: Path, sizes: Sizes, number: int) -> dict[str, Measurement]:
    plan: list[tuple[str, Callable, str]] = [
        ("per_row_few", ingest_per_row, "few"),
        ("per_row_some", ingest_per_row, "some"),
        ("adlens_once", ingest, "once"),
        ("adlens_twice", ingest, "twice"),
    ]
    measured = {}
    for name, version, log in plan:
        measured[name] = _measure(version, folder, log)
        progress(f"round {number + 1}: {name}, {sizes.rows(log):,} rows: {measured[name]}")
    return measured


def _measure(version: Callable[[Path, Path], None], folder: Path, log: str) -> Measurement:
    out = folder / "out"
    measured = _in_new_process(_measure_here, version, folder / log, out)
    shutil.rmtree(out)
    return measured


def _measure_here(version: Callable[[Path, Path], None], logs: Path, out: Path) -> Measurement:
    _import_all()
    started = time.perf_counter()
    version(logs, out)
    seconds = time.perf_counter() - started
    return Measurement(round(seconds, 2), round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1))


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


def _report(sizes: Sizes, rounds: list[dict[str, Measurement]], full: Measurement | None) -> None:
    def per_row_speed(measured: dict[str, Measurement]) -> float:
        rows = sizes.rows("some") - sizes.rows("few")
        return rows / (measured["per_row_some"].seconds - measured["per_row_few"].seconds)

    def speed(measured: dict[str, Measurement]) -> float:
        return sizes.rows("once") / measured["adlens_once"].seconds

    def median(figure: Callable[[dict[str, Measurement]], float], digits: int = 1) -> float:
        return round(statistics.median(map(figure, rounds)), digits)

    figures: dict[str, Any] = {f"rows_{log}": sizes.rows(log) for log in sizes.users()}
    figures |= {
        "adlens_rows_per_second": median(speed, 0),
        "per_row_rows_per_second": median(per_row_speed, 0),
    }
    for name in rounds[0]:
        figures[f"{name}_seconds"] = median(lambda measured, name=name: measured[name].seconds)
        figures[f"{name}_peak_memory_mib"] = median(
            lambda measured, name=name: measured[name].peak_memory_mib
        )
    if full:
        figures |= {
            "per_row_once_seconds": full.seconds,
            "per_row_once_peak_memory_mib": full.peak_memory_mib,
        }
    bars = {
        "faster_than_per_row": Bar(median(lambda m: speed(m) / per_row_speed(m), 2), at_least=5),
        "doubling": Bar(
            median(lambda m: m["adlens_twice"].seconds / m["adlens_once"].seconds, 3), at_most=2.2
        ),
    }
    report("ingest", figures, bars)


if __name__ == "__main__":
    main()
