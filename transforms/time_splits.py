"""Where training ends, where evaluation ends, and which file of examples a time belongs to."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import apache_beam as beam
import numpy as np
import pyarrow as pa

from transforms.ingest_config import IngestConfig
from transforms.input_error import InputError
from transforms.record_batches import times

SPLITS = ("train", "eval", "test")

_MINUTE = 60_000_000


@dataclass(frozen=True)
class TimeSplits:
    """Where training ends, where evaluation ends, and which file of examples a time belongs to.

    Attributes:
        train_end: microseconds; training is strictly before it.
        eval_end: microseconds; evaluation is strictly before it, testing from it on.
        file_starts: for each file of examples but the first, in time order over all splits, the time of
            its first row; the splits' ends are among them.
    """

    train_end: int
    eval_end: int
    file_starts: tuple[int, ...]

    def split_of(self, microseconds: np.ndarray) -> np.ndarray:
        """The split of each time: 0 train, 1 eval, 2 test. int64 `[n]` in and out."""
        return np.searchsorted([self.train_end, self.eval_end], microseconds, side="right")

    def file_of(self, microseconds: np.ndarray) -> np.ndarray:
        """The file of each time, counted over all splits in time order. int64 `[n]` in and out."""
        return np.searchsorted(np.array(self.file_starts, dtype=np.int64), microseconds, side="right")

    def locate(self, file: int) -> tuple[str, int, int]:
        """Returns a file's split, its number within the split, and how many files the split has."""
        train_files = self.file_starts.index(self.train_end) + 1
        eval_files = self.file_starts.index(self.eval_end) + 1 - train_files
        test_files = len(self.file_starts) + 1 - train_files - eval_files
        if file < train_files:
            return "train", file, train_files
        if file < train_files + eval_files:
            return "eval", file - train_files, eval_files
        return "test", file - train_files - eval_files, test_files


class FindTimeSplits(beam.PTransform):
    """Cuts the impressions by time, from a histogram over minutes.

    The ends fall on whole minutes: an end is the first minute before which at least the wanted share of
    the impressions lies. One pass, and what meets in one worker is as large as the log is long in minutes.

    Returns:
        A collection of one `TimeSplits`.
    """

    def __init__(self, config: IngestConfig):
        super().__init__()
        self.config = config

    def expand(self, impressions: beam.PCollection) -> beam.PCollection:
        return (
            impressions
            | "CountMinutes" >> beam.Map(_count_minutes)
            | "SumMinutes" >> beam.CombineGlobally(_SumCounts())
            | "CutByTime" >> beam.Map(cut_by_time, self.config)
        )


class _SumCounts(beam.CombineFn):
    def create_accumulator(self) -> list:
        return []

    def add_input(self, accumulator: list, counts: tuple) -> list:
        accumulator.append(counts)
        return [_merge(accumulator)] if len(accumulator) > 64 else accumulator

    def merge_accumulators(self, accumulators: Iterable[list]) -> list:
        return [_merge([counts for accumulator in accumulators for counts in accumulator])]

    def extract_output(self, accumulator: list) -> tuple:
        return _merge(accumulator)


def _merge(parts: list) -> tuple[np.ndarray, np.ndarray]:
    if not parts:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    minutes, inverse = np.unique(np.concatenate([part[0] for part in parts]), return_inverse=True)
    weights = np.concatenate([part[1] for part in parts])
    return minutes, np.bincount(inverse, weights=weights, minlength=len(minutes)).astype(np.int64)


def _count_minutes(batch: pa.RecordBatch) -> tuple[np.ndarray, np.ndarray]:
    return np.unique(times(batch.column("timestamp")) // _MINUTE, return_counts=True)


def cut_by_time(histogram: tuple[np.ndarray, np.ndarray], config: IngestConfig) -> TimeSplits:
    """Finds the splits and files of a histogram.

    Args:
        histogram: int64 `[minutes]` (since 1970, ascending) and int64 `[minutes]` (impressions in each).
        config: shares or ends of the splits, and rows of a file.
    Raises:
        InputError: a split would be empty.
    """
    minutes, counts = histogram
    if not len(minutes):
        raise InputError("impressions: expected rows that can be used, found none; `adlens check` says why")
    starts, before = minutes * _MINUTE, np.append(0, np.cumsum(counts))
    if config.train_end:
        train_end, eval_end = config.microseconds("train_end"), config.microseconds("eval_end")
    else:
        train_end = _end(starts, before, config.train_fraction)
        eval_end = _end(starts, before, config.train_fraction + config.eval_fraction)
    bounds = [int(starts[0]), train_end, eval_end, int(starts[-1]) + _MINUTE]
    file_starts: list[int] = []
    for split, start, end in zip(SPLITS, bounds[:-1], bounds[1:], strict=True):
        inside = (starts >= start) & (starts < end)
        if not counts[inside].sum():
            raise InputError(
                f"impressions: the {split} split would be empty (train ends {iso(train_end)}, eval ends "
                f"{iso(eval_end)}, the log runs from {iso(bounds[0])} to {iso(bounds[3])}); "
                "set ingest.train_end and ingest.eval_end"
            )
        files = -(-int(counts[inside].sum()) // config.rows_per_file)
        quotas = np.cumsum(counts[inside]) * files // counts[inside].sum()
        inner = starts[inside][1:][np.diff(np.minimum(quotas, files - 1)) > 0]
        file_starts += [*([start] if split != SPLITS[0] else []), *(int(time) for time in inner)]
    return TimeSplits(train_end, eval_end, tuple(file_starts))


def _end(starts: np.ndarray, before: np.ndarray, fraction: float) -> int:
    """The first minute's start before which at least the fraction of all rows lies."""
    index = int(np.searchsorted(before, fraction * before[-1], side="left"))
    return int(starts[index]) if index < len(starts) else int(starts[-1]) + _MINUTE


def iso(microseconds: int) -> str:
    """Writes microseconds since 1970-01-01 UTC as an ISO time."""
    return datetime.fromtimestamp(microseconds / 1e6, UTC).isoformat(timespec="seconds")
