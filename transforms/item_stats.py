"""Impressions and clicks of each item in the training days, and the eight frequency groups."""

from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np
import pyarrow as pa

from transforms.catalog_index import places_of
from transforms.record_batches import times
from transforms.time_splits import TimeSplits

NUM_GROUPS = 8
NEW_ITEM_GROUP = NUM_GROUPS + 1


class CountItems(beam.PTransform):
    """Counts each item's impressions and clicks in the training split, and nothing after it.

    Args:
        catalog: side input, the catalog's index.
        splits: side input, `TimeSplits`.
        known: side input, batches of what the days before counted: item_id, impressions, clicks;
            None: nothing.
    Returns:
        A collection of one record batch in the order of the index: item_id, impressions, clicks,
        frequency_group (all int64 but the first).
    """

    def __init__(
        self,
        catalog: beam.pvalue.AsSingleton,
        splits: beam.pvalue.AsSingleton,
        known: beam.pvalue.AsList | None = None,
    ):
        super().__init__()
        self.catalog = catalog
        self.splits = splits
        self.known = [] if known is None else known

    def expand(self, impressions: beam.PCollection) -> beam.PCollection:
        return (
            impressions
            | "CountTraining" >> beam.FlatMap(_count_training, self.catalog, self.splits)
            | "SumCounts" >> beam.CombineGlobally(_SumByItem())
            | "GroupByFrequency" >> beam.Map(_to_batch, self.catalog, self.known)
        )


def frequency_groups(impressions: np.ndarray) -> np.ndarray:
    """Divides the items that training saw into eight equally large groups by frequency.

    Items of equal counts keep their order, so that the groups are as equal as their number allows.

    Args:
        impressions: int64 `[items]`, of the training days.
    Returns:
        int64 `[items]`: 1 for the rarest eighth up to 8, and 9 for items without an impression.
    Source: Sheng et al. 2024 (arXiv 2407.19467), section 6.3.3.
    """
    groups = np.full(len(impressions), NEW_ITEM_GROUP, dtype=np.int64)
    seen = np.flatnonzero(impressions)
    ranked = seen[np.argsort(impressions[seen], kind="stable")]
    groups[ranked] = 1 + np.arange(len(ranked)) * NUM_GROUPS // max(len(ranked), 1)
    return groups


class _SumByItem(beam.CombineFn):
    """Adds (places, impressions, clicks) into dense counts; 16 bytes an item."""

    def create_accumulator(self) -> np.ndarray:
        return np.zeros((2, 0), dtype=np.int64)

    def add_input(self, accumulator: np.ndarray, counts: np.ndarray) -> np.ndarray:
        return _add(accumulator, counts)

    def merge_accumulators(self, accumulators: Iterable[np.ndarray]) -> np.ndarray:
        total = self.create_accumulator()
        for accumulator in accumulators:
            total = _add(total, accumulator)
        return total

    def extract_output(self, accumulator: np.ndarray) -> np.ndarray:
        return accumulator


def _add(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return left + right if left.size else right


def _count_training(
    batch: pa.RecordBatch, catalog: pa.RecordBatch, splits: TimeSplits
) -> Iterator[np.ndarray]:
    is_train = times(batch.column("timestamp")) < splits.train_end
    if not is_train.any():
        return
    places = places_of(batch.column("item_id"), catalog)[is_train]
    clicked = batch.column("clicked").to_numpy(zero_copy_only=False)[is_train]
    yield np.stack(
        [
            np.bincount(places, minlength=catalog.num_rows),
            np.bincount(places[clicked], minlength=catalog.num_rows),
        ]
    )


def _to_batch(counts: np.ndarray, catalog: pa.RecordBatch, known: list[pa.RecordBatch]) -> pa.RecordBatch:
    totals = counts.copy() if counts.size else np.zeros((2, catalog.num_rows), dtype=np.int64)
    for batch in known:
        places = places_of(batch.column("item_id"), catalog)
        # What is no longer in the catalog is counted no more.
        is_there = places >= 0
        for total, name in zip(totals, ("impressions", "clicks"), strict=True):
            total[places[is_there]] += batch.column(name).to_numpy()[is_there]
    impressions, clicks = totals
    return pa.RecordBatch.from_pydict(
        {
            "item_id": catalog.column("item_id"),
            "impressions": impressions,
            "clicks": clicks,
            "frequency_group": frequency_groups(impressions),
        }
    )
