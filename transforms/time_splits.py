"""Where training ends, where evaluation ends, and which file of examples a time belongs to."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import apache_beam as beam
import numpy as np
import pyarrow as pa

from transforms.ingest_config import IngestConfig
from transforms.ingest_window import IngestWindow
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

    Args:
        config: shares or ends of the splits, and rows of a file.
        window: of a dated run; its training ends with the day, and the next day is divided between eval and test.
    Returns:
        A collection of one `TimeSplits`.
    """

    def __init__(self, config: IngestConfig, window: IngestWindow | None = None):
        super().__init__()
        self.config = config
        self.window = window

    def expand(self, impressions: beam.PCollection) -> beam.PCollection:
        return (
            impressions
            | "CountMinutes" >> beam.Map(_count_minutes)
            | "SumMinutes" >> beam.CombineGlobally(_SumCounts())
            | "CutByTime" >> beam.Map(cut_by_time, self.config, self.window)
        )


class FindPairSplits(beam.PTransform):
    """Cuts the query pairs of a dated run by time, from a histogram over minutes.

    Encoders choose their weights by the eval split, and models with their vectors are measured on the whole next
    day. So train and eval both lie before it: eval are the last purchases of the day's training.

    Args:
        config: shares of the splits.
        window: of the dated run.
    Call arguments:
        Record batches of purchases.
    Returns:
        A collection of one `TimeSplits`.
    """

    def __init__(self, config: IngestConfig, window: IngestWindow):
        super().__init__()
        self.config = config
        self.window = window

    def expand(self, purchases: beam.PCollection) -> beam.PCollection:
        return (
            purchases
            | "CountMinutes" >> beam.Map(_count_minutes)
            | "SumMinutes" >> beam.CombineGlobally(_SumCounts())
            | "CutPairs" >> beam.Map(cut_pairs, self.config, self.window)
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


def cut_by_time(
    histogram: tuple[np.ndarray, np.ndarray], config: IngestConfig, window: IngestWindow | None = None
) -> TimeSplits:
    """Finds the splits and files of a histogram.

    Args:
        histogram: int64 `[minutes]` (since 1970, ascending) and int64 `[minutes]` (impressions in each).
        config: shares or ends of the splits, and rows of a file.
        window: of a dated run; None: the whole logs.
    Raises:
        InputError: a split would be empty.
    """
    minutes, counts = histogram
    if window is not None:
        return _cut_files(histogram, window.train_end, _cut_next_day(histogram, config, window), config)
    if not len(minutes):
        raise InputError("impressions: expected rows that can be used, found none; `adlens check` says why")
    starts, before = minutes * _MINUTE, np.append(0, np.cumsum(counts))
    if config.train_end:
        train_end, eval_end = config.microseconds("train_end"), config.microseconds("eval_end")
    else:
        train_end = _end(starts, before, config.train_fraction)
        eval_end = _end(starts, before, config.train_fraction + config.eval_fraction)
    return _cut_files(histogram, train_end, eval_end, config)


def cut_pairs(
    histogram: tuple[np.ndarray, np.ndarray], config: IngestConfig, window: IngestWindow
) -> TimeSplits:
    """Finds the splits of a dated run's query pairs: train and eval before its training ends, test after it.

    Args:
        histogram: int64 `[minutes]` (since 1970, ascending) and int64 `[minutes]` (purchases in each).
        config: shares of train and eval.
        window: of the dated run.
    """
    minutes, counts = histogram
    starts = minutes * _MINUTE
    inside = (starts >= (window.pairs_start or 0)) & (starts < window.train_end)
    if not inside.any():
        return TimeSplits(window.train_end, window.train_end, ())
    share = config.train_fraction / (config.train_fraction + config.eval_fraction)
    train_end = _end(starts[inside], np.append(0, np.cumsum(counts[inside])), share)
    return TimeSplits(min(train_end, int(starts[inside][-1])), window.train_end, ())


def _cut_next_day(
    histogram: tuple[np.ndarray, np.ndarray], config: IngestConfig, window: IngestWindow
) -> int:
    """The minute at which the part of the next day that evaluates ends and the one that tests begins."""
    minutes, counts = histogram
    starts = minutes * _MINUTE
    is_next = starts >= window.train_end
    for is_there, day in ((~is_next, window.day), (is_next, window.next_day)):
        if not is_there.any():
            raise InputError(
                f"no impressions on {day}: the run of {window.day} trains on that day and is measured on "
                f"{window.next_day}; `adlens check` says what is rejected"
            )
    starts, counts = starts[is_next], counts[is_next]
    if len(starts) == 1:
        raise InputError(
            f"the impressions of {window.next_day} all lie in one minute, {iso(int(starts[0]))}, and at least two "
            "are needed, one to evaluate and one to test"
        )
    share = config.eval_fraction / (1 - config.train_fraction)
    return min(_end(starts, np.append(0, np.cumsum(counts)), share), int(starts[-1]))


def _cut_files(
    histogram: tuple[np.ndarray, np.ndarray], train_end: int, eval_end: int, config: IngestConfig
) -> TimeSplits:
    minutes, counts = histogram
    starts = minutes * _MINUTE
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
