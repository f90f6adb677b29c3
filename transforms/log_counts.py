"""How many rows were read, used and rejected, and for what reasons."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator

import apache_beam as beam
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from transforms.logs import LOGS
from transforms.write_parquet import make_folders

COUNTS_FILE = "counts.json"


class SumCounters(beam.CombineFn):
    """Adds counters."""

    def create_accumulator(self) -> Counter:
        return Counter()

    def add_input(self, accumulator: Counter, counts: Counter) -> Counter:
        accumulator.update(counts)
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[Counter]) -> Counter:
        total: Counter = Counter()
        for accumulator in accumulators:
            total.update(accumulator)
        return total

    def extract_output(self, accumulator: Counter) -> Counter:
        return accumulator


def count_tree(counts: Counter) -> dict:
    """Arranges counts as `counts.json` has them.

    Returns:
        "read" and "used" rows by log, "rejects" by log and reason, "reject_files" by log, reason and file.
    """
    tree: dict = {"read": {}, "used": {}, "rejects": {spec.name: {} for spec in LOGS}, "reject_files": {}}
    for spec in LOGS:
        tree["read"][spec.name] = counts[("read", spec.name)]
        tree["used"][spec.name] = counts[("used", spec.name)]
    for key, count in sorted((key, count) for key, count in counts.items() if key[0] == "rejects"):
        _, log, reason, file = key
        tree["rejects"][log][reason] = tree["rejects"][log].get(reason, 0) + count
        tree["reject_files"].setdefault(log, {}).setdefault(reason, {})[file] = count
    return tree


def check_rejects(counts: dict, max_reject_fraction: float) -> Iterator[str]:
    """Yields one line for each log that rejected more of its rows than allowed: which file, what, how many."""
    for log, rejects in counts["rejects"].items():
        rejected, read = sum(rejects.values()), counts["read"][log]
        if rejected > max_reject_fraction * read:
            most = max(rejects, key=lambda reason: rejects[reason])
            file, in_file = max(counts["reject_files"][log][most].items(), key=lambda entry: entry[1])
            yield (
                f"{log}: {rejected:,} of {read:,} rows cannot be used "
                f"({', '.join(f'{reason} {count:,}' for reason, count in rejects.items())}), more than "
                f"ingest.max_reject_fraction {max_reject_fraction:g} allows; {file} has {in_file:,} of {most}"
            )


def write_counts(value: dict, path: str) -> dict:
    """Writes counts as JSON on any filesystem that Beam writes, and passes them on."""
    make_folders(path.rsplit("/", 1)[0])
    with FileSystems.create(path, "application/json", CompressionTypes.UNCOMPRESSED) as stream:
        stream.write(json.dumps(value, indent=2).encode())
    return value
