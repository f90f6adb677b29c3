"""From the four logs to examples, query pairs, catalog, item stats and rejects."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import apache_beam as beam
import pyarrow as pa

from transforms.behaviors import HISTORY, HISTORY_COLUMNS, JoinBehaviors
from transforms.check_logs import CheckLogs
from transforms.ingest_config import IngestConfig
from transforms.ingest_window import IngestWindow
from transforms.item_stats import CountItems
from transforms.log_counts import COUNTS_FILE, SumCounters, count_tree, write_counts
from transforms.log_files import LogFile
from transforms.logs import CATALOG, IMPRESSIONS, PURCHASES, SEARCHES, LogSpec
from transforms.pair_items import JoinPairItems, join_parts
from transforms.query_pairs import BuildQueryPairs
from transforms.read_log import FILE, ROW
from transforms.read_parquet import ReadParquet, find_parquet
from transforms.record_batches import pack, times, unpack
from transforms.time_splits import SPLITS, FindPairSplits, FindTimeSplits, TimeSplits, iso
from transforms.write_examples import WriteExamples
from transforms.write_parquet import WriteParquet

_ITEMS_PER_SHARD = 4_096
_REJECT_SHARDS = 8
_REJECT_BYTES = 1_000_000_000
_EVENTS_PER_BATCH = 65_536


@dataclass(frozen=True)
class IngestOutputs:
    """Where `IngestLogs` writes: one directory for each artifact. `history` is of runs with a window alone."""

    examples: str
    query_pairs: str
    catalog: str
    item_stats: str
    rejects: str
    history: str = ""


@dataclass(frozen=True)
class DayBefore:
    """What the run of the day before left: the directories of two of its artifacts."""

    history: str
    item_stats: str


class IngestLogs(beam.PTransform):
    """From the four logs to examples, query pairs, catalog, item stats and rejects.

    Args:
        files: what `find_logs` found.
        config: how the logs are read, split and joined.
        log_end: microseconds; rows after it lie outside the log.
        outputs: the directories to write to.
        window: the part of the logs that is read; None: all.
        before: where the run of the day before wrote; needed where the window has a start.
    Returns:
        A collection of one dictionary, what `counts.json` in the rejects says.
    """

    def __init__(
        self,
        files: dict[str, list[LogFile]],
        config: IngestConfig,
        log_end: int,
        outputs: IngestOutputs,
        window: IngestWindow | None = None,
        before: DayBefore | None = None,
    ):
        super().__init__()
        self.files = files
        self.config = config
        self.log_end = log_end
        self.outputs = outputs
        self.window = window
        self.history = find_parquet(f"{before.history}/*.parquet") if before else []
        self.item_stats = find_parquet(f"{before.item_stats}/*.parquet") if before else []

    def expand(self, root: beam.Pipeline) -> beam.PCollection:
        config, outputs, window = self.config, self.outputs, self.window
        used, rejects, counts = root | "CheckLogs" >> CheckLogs(self.files, config, self.log_end, window)
        catalog = beam.pvalue.AsSingleton(used["index"])
        impressions, purchases = used[IMPRESSIONS.name], used[PURCHASES.name]
        found_splits = impressions | "FindTimeSplits" >> FindTimeSplits(config, window)
        splits = beam.pvalue.AsSingleton(found_splits)

        item_stats = impressions | "CountItems" >> CountItems(catalog, splits, self._known_stats(root))
        shards = self._num_shards()
        joined, history = self._behavior_logs(
            root, impressions, purchases
        ) | "JoinBehaviors" >> JoinBehaviors(
            catalog, shards, config.max_behaviors, window.train_end if window else None
        )
        written = joined | "WriteExamples" >> WriteExamples(
            outputs.examples, config.features, catalog, beam.pvalue.AsSingleton(item_stats), splits
        )
        _ = history | "WriteHistory" >> WriteParquet(outputs.history, "history-{:05d}".format)
        bare_pairs, seen = (used[SEARCHES.name], purchases) | "BuildQueryPairs" >> BuildQueryPairs(
            catalog,
            self._pair_splits(purchases, splits),
            shards,
            config.attribution_microseconds,
            window.pairs_start if window else None,
        )
        pairs = (bare_pairs, used[CATALOG.name]) | "JoinPairItems" >> JoinPairItems(self._num_item_shards())
        _ = (
            item_stats
            | "NameStats" >> beam.Map(lambda batch: ("", batch))
            | "WriteStats" >> WriteParquet(outputs.item_stats, lambda _: "item_stats")
        )
        _ = (
            used[CATALOG.name]
            | "NameCatalog" >> beam.Map(_name_catalog)
            | "WriteCatalog"
            >> WriteParquet(outputs.catalog, lambda key: "catalog-{:05d}-{:010d}".format(*key))
        )
        self._write_rejects(rejects)
        pair_counts = (
            pairs
            | "WritePairs"
            >> WriteParquet(outputs.query_pairs, lambda key: "Split-{}/pairs-{:05d}".format(*key))
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
            | "SumCounts" >> beam.CombineGlobally(SumCounters())
            | "NameCounts" >> beam.Map(_name_counts, splits, window)
            | "WriteCounts" >> beam.Map(write_counts, f"{outputs.rejects}/{COUNTS_FILE}")
        )

    def _behavior_logs(
        self, root: beam.Pipeline, impressions: beam.PCollection, purchases: beam.PCollection
    ) -> dict[str, beam.PCollection]:
        """What behaviors are made of. Purchases before the day's are read for query pairs and are in the history."""
        logs = {IMPRESSIONS.name: impressions, PURCHASES.name: purchases}
        if self.window is None or self.window.start is None:
            return logs
        return logs | {
            PURCHASES.name: purchases | "TakeDay" >> beam.FlatMap(_take_from, self.window.start),
            HISTORY: root | "ReadHistory" >> ReadParquet(self.history, HISTORY_COLUMNS, _EVENTS_PER_BATCH),
        }

    def _known_stats(self, root: beam.Pipeline) -> beam.pvalue.AsList | None:
        if not self.item_stats:
            return None
        columns = ("item_id", "impressions", "clicks")
        return beam.pvalue.AsList(
            root | "ReadStats" >> ReadParquet(self.item_stats, columns, _EVENTS_PER_BATCH)
        )

    def _pair_splits(
        self, purchases: beam.PCollection, splits: beam.pvalue.AsSingleton
    ) -> beam.pvalue.AsSingleton:
        if self.window is None:
            return splits
        found = purchases | "FindPairSplits" >> FindPairSplits(self.config, self.window)
        return beam.pvalue.AsSingleton(found)

    def _num_shards(self) -> int:
        rows = self._rows(IMPRESSIONS)
        if self.window is not None:
            # A day's impressions may be few beside the purchases of many days and the history of all users.
            events = sum(sum(file.rows) for file in self.history)
            rows = max(rows, self._rows(PURCHASES), events // self.config.max_behaviors)
        return max(1, -(-rows // self.config.rows_per_file))

    def _num_item_shards(self) -> int:
        return max(1, -(-self._rows(CATALOG) // _ITEMS_PER_SHARD))

    def _rows(self, spec: LogSpec) -> int:
        return sum(file.rows_to_read for file in self.files[spec.name])

    def _write_rejects(self, rejects: beam.PCollection) -> None:
        paths = {log: [file.path for file in files] for log, files in self.files.items()}
        _ = (
            rejects
            | "ShardRejects" >> beam.Map(_shard_rejects)
            | "GroupRejects" >> beam.GroupByKey()
            | "JoinRejects" >> beam.FlatMap(_join_rejects, paths)
            | "WriteRejects"
            >> WriteParquet(self.outputs.rejects, lambda key: "{}/rejects-{:05d}-{:05d}".format(*key))
        )


def _take_from(batch: pa.RecordBatch, start: int) -> Iterator[pa.RecordBatch]:
    is_inside = times(batch.column("timestamp")) >= start
    if is_inside.any():
        yield batch.filter(pa.array(is_inside))


def _name_counts(counts: Counter, splits: TimeSplits, window: IngestWindow | None) -> dict:
    by_split = {name: {split: counts[(name, split)] for split in SPLITS} for name in ("splits", "clicks")}
    pairs = {name: counts[("query_pairs", name)] for name in (*SPLITS, "seen_in_train")}
    boundaries = {"train_end": iso(splits.train_end), "eval_end": iso(splits.eval_end)}
    if window is not None:
        boundaries |= {"end": iso(window.end)}
        boundaries |= {} if window.start is None else {"start": iso(window.start)}
    return count_tree(counts) | by_split | {"query_pairs": pairs, "boundaries": boundaries}


def _count_examples(written: tuple[str, int, int]) -> Counter:
    split, rows, clicks = written
    return Counter({("splits", split): rows, ("clicks", split): clicks})


def _name_catalog(batch: pa.RecordBatch) -> tuple[tuple[int, int], pa.RecordBatch]:
    key = batch.column(FILE)[0].as_py(), batch.column(ROW)[0].as_py()
    return key, batch.drop_columns([FILE, ROW])


def _shard_rejects(element: tuple[str, pa.RecordBatch]) -> tuple[tuple[str, int], bytes]:
    log, batch = element
    return (log, batch.column(FILE)[0].as_py() % _REJECT_SHARDS), pack(batch)


def _join_rejects(
    element: tuple[tuple[str, int], Iterable[bytes]], paths: dict[str, list[str]]
) -> Iterator[tuple[tuple[str, int, int], pa.RecordBatch]]:
    """Joins a shard's rejects to a few batches; each row stays whole, with its reason, file and row."""
    (log, shard), packed = element
    # Gigantic pictures are rejects too.
    for part, batch in enumerate(join_parts(map(unpack, packed), _REJECT_BYTES)):
        rows = batch.sort_by([(FILE, "ascending"), (ROW, "ascending")])
        files = pa.array(paths[log]).take(rows.column(FILE))
        whole = rows.drop_columns([FILE, ROW])
        yield (log, shard, part), whole.append_column("file", files).append_column("row", rows.column(ROW))
