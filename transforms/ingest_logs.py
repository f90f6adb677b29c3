"""From the four logs to examples, query pairs, catalog, item stats and rejects."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import apache_beam as beam
import pyarrow as pa
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from transforms.behaviors import JoinBehaviors
from transforms.catalog_index import IndexCatalog
from transforms.ingest_config import IngestConfig
from transforms.item_stats import CountItems
from transforms.log_files import LogFile, find_log_files
from transforms.logs import CATALOG, IMPRESSIONS, LOGS, PURCHASES, SEARCHES, LogSpec
from transforms.query_pairs import BuildQueryPairs
from transforms.read_log import FILE, ROW, ReadLog
from transforms.record_batches import concat, pack, unpack
from transforms.reject_rows import REASON, RejectDuplicates, RejectRows
from transforms.time_splits import FindTimeSplits, TimeSplits, iso
from transforms.write_examples import WriteExamples
from transforms.write_parquet import WriteParquet, make_folders

COUNTS_FILE = "counts.json"

_REJECT_SHARDS = 8


@dataclass(frozen=True)
class IngestOutputs:
    """Where `IngestLogs` writes: one directory for each artifact."""

    examples: str
    query_pairs: str
    catalog: str
    item_stats: str
    rejects: str


def find_logs(logs: str, config: IngestConfig) -> dict[str, list[LogFile]]:
    """Lists the files of the four logs and checks their columns. Raises InputError; see `find_log_files`."""
    return {spec.name: find_log_files(logs, spec, config.features) for spec in LOGS}


class CheckLogs(beam.PTransform):
    """Reads the four logs, parts the rows that can be used from the others, and counts both.

    Args:
        files: what `find_logs` found.
        config: the features, and bounds of times and images.
        log_end: microseconds; rows after it lie outside the log.
    Returns:
        A tuple of used (collections of record batches, by log), rejects (a collection of (log, batch))
        and counts (a collection of Counters).
    """

    def __init__(self, files: dict[str, list[LogFile]], config: IngestConfig, log_end: int):
        super().__init__()
        self.files = files
        self.config = config
        self.log_end = log_end

    def expand(self, root: beam.Pipeline) -> tuple:
        used: dict[str, beam.PCollection] = {}
        rejects: list[beam.PCollection] = []
        counts: list[beam.PCollection] = []
        catalog = None
        for spec in LOGS:
            item_ids = None if spec is CATALOG else catalog
            parts = root | spec.name >> _CheckLog(spec, self.files[spec.name], self.config, self.log_end, item_ids)
            used[spec.name] = parts[0]
            rejects.append(parts[1])
            counts.append(parts[2])
            if spec is CATALOG:
                index = used[spec.name] | "IndexCatalog" >> IndexCatalog(self.config.side("item"))
                used["index"] = index
                catalog = beam.pvalue.AsSingleton(index)
        return used, rejects | "FlattenRejects" >> beam.Flatten(), counts | "FlattenCounts" >> beam.Flatten()


class _CheckLog(beam.PTransform):
    def __init__(self, spec: LogSpec, files: list, config: IngestConfig, log_end: int, item_ids):
        super().__init__()
        self.spec, self.files, self.config, self.log_end, self.item_ids = spec, files, config, log_end, item_ids

    def expand(self, root: beam.Pipeline) -> tuple:
        log = self.spec.name
        rows = root | "Read" >> ReadLog(self.spec, self.files, self.config.features)
        usable, unusable = rows | "RejectRows" >> RejectRows(self.spec, self.config, self.log_end, self.item_ids)
        used, duplicates = usable | "RejectDuplicates" >> RejectDuplicates(self.spec)
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


class IngestLogs(beam.PTransform):
    """From the four logs to examples, query pairs, catalog, item stats and rejects.

    Args:
        files: what `find_logs` found.
        config: how the logs are read, split and joined.
        log_end: microseconds; rows after it lie outside the log.
        outputs: the directories to write to.
    Returns:
        A collection of one dictionary, what `counts.json` in the rejects says.
    """

    def __init__(
        self, files: dict[str, list[LogFile]], config: IngestConfig, log_end: int, outputs: IngestOutputs
    ):
        super().__init__()
        self.files = files
        self.config = config
        self.log_end = log_end
        self.outputs = outputs

    def expand(self, root: beam.Pipeline) -> beam.PCollection:
        config, outputs = self.config, self.outputs
        used, rejects, counts = root | "CheckLogs" >> CheckLogs(self.files, config, self.log_end)
        catalog = beam.pvalue.AsSingleton(used["index"])
        impressions, purchases = used[IMPRESSIONS.name], used[PURCHASES.name]
        found_splits = impressions | "FindTimeSplits" >> FindTimeSplits(config)
        splits = beam.pvalue.AsSingleton(found_splits)

        item_stats = impressions | "CountItems" >> CountItems(catalog, splits)
        shards = self._num_shards()
        written = (
            (impressions, purchases)
            | "JoinBehaviors" >> JoinBehaviors(catalog, shards, config.max_behaviors)
            | "WriteExamples"
            >> WriteExamples(
                outputs.examples, config.features, catalog, beam.pvalue.AsSingleton(item_stats), splits
            )
        )
        pairs, seen = (used[SEARCHES.name], purchases) | "BuildQueryPairs" >> BuildQueryPairs(
            catalog, splits, shards, config.attribution_microseconds
        )
        _ = item_stats | "NameStats" >> beam.Map(lambda batch: ("", batch)) | "WriteStats" >> WriteParquet(
            outputs.item_stats, lambda _: "item_stats"
        )
        _ = used[CATALOG.name] | "NameCatalog" >> beam.Map(_name_catalog) | "WriteCatalog" >> WriteParquet(
            outputs.catalog, lambda key: "catalog-{:05d}-{:010d}".format(*key)
        )
        self._write_rejects(rejects)
        pair_counts = (
            pairs
            | "WritePairs" >> WriteParquet(outputs.query_pairs, lambda key: "Split-{}/pairs-{:05d}".format(*key))
            | "CountPairs" >> beam.Map(lambda written: Counter({("query_pairs", written[0][0]): written[1]}))
        )
        all_counts = (
            counts,
            pair_counts,
            seen | "CountSeen" >> beam.Map(lambda pairs: Counter({("query_pairs", "seen_in_train"): pairs})),
            written | "CountExamples" >> beam.Map(_count_examples),
        ) | "FlattenAllCounts" >> beam.Flatten()
        return (
            all_counts
            | "SumCounts" >> beam.CombineGlobally(_SumCounters())
            | "NameCounts" >> beam.Map(_name_counts, splits)
            | "WriteCounts" >> beam.Map(_write_json, f"{outputs.rejects}/{COUNTS_FILE}")
        )

    def _num_shards(self) -> int:
        rows = sum(sum(file.rows) for file in self.files[IMPRESSIONS.name])
        return max(1, -(-rows // self.config.rows_per_file))

    def _write_rejects(self, rejects: beam.PCollection) -> None:
        paths = {log: [file.path for file in files] for log, files in self.files.items()}
        _ = (
            rejects
            | "ShardRejects" >> beam.Map(_shard_rejects)
            | "GroupRejects" >> beam.GroupByKey()
            | "JoinRejects" >> beam.Map(_join_rejects, paths)
            | "WriteRejects"
            >> WriteParquet(self.outputs.rejects, lambda key: "{}/rejects-{:05d}".format(*key))
        )


class _SumCounters(beam.CombineFn):
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


def _name_counts(counts: Counter, splits: TimeSplits) -> dict:
    by_split = {name: {key[1]: counts[key] for key in sorted(counts) if key[0] == name} for name in _SPLIT_COUNTS}
    pairs = {name: counts[("query_pairs", name)] for name in ("train", "eval", "test", "seen_in_train")}
    boundaries = {"train_end": iso(splits.train_end), "eval_end": iso(splits.eval_end)}
    return count_tree(counts) | by_split | {"query_pairs": pairs, "boundaries": boundaries}


_SPLIT_COUNTS = ("splits", "clicks")


def _count_examples(written: tuple[str, int, int]) -> Counter:
    split, rows, clicks = written
    return Counter({("splits", split): rows, ("clicks", split): clicks})


def _count_rejects(element: tuple[str, pa.RecordBatch], paths: list[str]) -> Counter:
    log, batch = element
    path = paths[batch.column(FILE)[0].as_py()]
    counts = batch.column(REASON).value_counts()
    return Counter({("rejects", log, entry["values"], path): entry["counts"] for entry in counts.to_pylist()})


def _name_catalog(batch: pa.RecordBatch) -> tuple[tuple[int, int], pa.RecordBatch]:
    key = batch.column(FILE)[0].as_py(), batch.column(ROW)[0].as_py()
    return key, batch.drop_columns([FILE, ROW])


def _shard_rejects(element: tuple[str, pa.RecordBatch]) -> tuple[tuple[str, int], bytes]:
    log, batch = element
    return (log, batch.column(FILE)[0].as_py() % _REJECT_SHARDS), pack(batch)


def _join_rejects(
    element: tuple[tuple[str, int], Iterable[bytes]], paths: dict[str, list[str]]
) -> tuple[tuple[str, int], pa.RecordBatch]:
    """Joins a shard's rejects; each row stays whole, with its reason, file and row."""
    key, packed = element
    rows = concat(map(unpack, packed)).sort_by([(FILE, "ascending"), (ROW, "ascending")])
    files = pa.array(paths[key[0]]).take(rows.column(FILE))
    whole = rows.drop_columns([FILE, ROW])
    return key, whole.append_column("file", files).append_column("row", rows.column(ROW))


def _write_json(value: dict, path: str) -> dict:
    make_folders(path.rsplit("/", 1)[0])
    with FileSystems.create(path, "application/json", CompressionTypes.UNCOMPRESSED) as stream:
        stream.write(json.dumps(value, indent=2).encode())
    return value


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
