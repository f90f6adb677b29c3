"""From the four logs to examples, query pairs, catalog, item stats and rejects."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import apache_beam as beam
import pyarrow as pa

from transforms.behaviors import JoinBehaviors
from transforms.check_logs import CheckLogs
from transforms.ingest_config import IngestConfig
from transforms.item_stats import CountItems
from transforms.log_counts import COUNTS_FILE, SumCounters, count_tree, write_counts
from transforms.log_files import LogFile
from transforms.logs import CATALOG, IMPRESSIONS, PURCHASES, SEARCHES, LogSpec
from transforms.pair_items import JoinPairItems, join_parts
from transforms.query_pairs import BuildQueryPairs
from transforms.read_log import FILE, ROW
from transforms.record_batches import pack, unpack
from transforms.time_splits import SPLITS, FindTimeSplits, TimeSplits, iso
from transforms.write_examples import WriteExamples
from transforms.write_parquet import WriteParquet

_ITEMS_PER_SHARD = 4_096
_REJECT_SHARDS = 8
_REJECT_BYTES = 1_000_000_000


@dataclass(frozen=True)
class IngestOutputs:
    """Where `IngestLogs` writes: one directory for each artifact."""

    examples: str
    query_pairs: str
    catalog: str
    item_stats: str
    rejects: str


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
        bare_pairs, seen = (used[SEARCHES.name], purchases) | "BuildQueryPairs" >> BuildQueryPairs(
            catalog, splits, shards, config.attribution_microseconds
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
            | "NameCounts" >> beam.Map(_name_counts, splits)
            | "WriteCounts" >> beam.Map(write_counts, f"{outputs.rejects}/{COUNTS_FILE}")
        )

    def _num_shards(self) -> int:
        return max(1, -(-self._rows(IMPRESSIONS) // self.config.rows_per_file))

    def _num_item_shards(self) -> int:
        return max(1, -(-self._rows(CATALOG) // _ITEMS_PER_SHARD))

    def _rows(self, spec: LogSpec) -> int:
        return sum(sum(file.rows) for file in self.files[spec.name])

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


def _name_counts(counts: Counter, splits: TimeSplits) -> dict:
    by_split = {name: {split: counts[(name, split)] for split in SPLITS} for name in ("splits", "clicks")}
    pairs = {name: counts[("query_pairs", name)] for name in (*SPLITS, "seen_in_train")}
    boundaries = {"train_end": iso(splits.train_end), "eval_end": iso(splits.eval_end)}
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
