import re

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from transforms import pair_items
from transforms.input_error import InputError
from transforms.pair_items import JoinPairItems, join_parts

Pair = tuple[str, str, str | None]  # purchase, positive, negative
COLUMNS = [
    "purchase_id",
    "positive_item_id",
    "positive_title",
    "positive_image",
    "negative_item_id",
    "negative_title",
    "negative_image",
]


def pairs(key: tuple[str, int], *rows: Pair) -> tuple[tuple[str, int], pa.RecordBatch]:
    names = ("purchase_id", "positive_item_id", "negative_item_id")
    columns = [pa.array([row[place] for row in rows], pa.string()) for place in range(3)]
    return key, pa.RecordBatch.from_arrays(columns, names)


def catalog(*rows: tuple[str, str | None, bytes | None]) -> pa.RecordBatch:
    schema = pa.schema([("item_id", pa.string()), ("title", pa.string()), ("image", pa.binary())])
    columns = [
        pa.array([row[place] for row in rows], kind)
        for place, kind in enumerate(field.type for field in schema)
    ]
    # A column that pairs do not take.
    return pa.RecordBatch.from_arrays([*columns, pa.nulls(len(rows))], [*schema.names, "brand"])


def as_rows(element: tuple[tuple[str, int], pa.RecordBatch]) -> tuple:
    key, batch = element
    assert batch.schema.names == COLUMNS
    return key, [tuple(row.values()) for row in batch.to_pylist()]


CATALOG = [
    catalog(("a", "apple", b"A"), ("b", None, b"B")),
    catalog(("c", "cherry", None), ("d", "date", b"D"), ("nobody's", "x", b"X")),
]
PAIRS = [
    pairs(("train", 0), ("p1", "a", "b"), ("p2", "c", None), ("p3", "a", "d")),
    pairs(("train", 1), ("p4", "d", "a")),
    pairs(("test", 0), ("p5", "b", None)),
]
# Each id with the title and picture that stand beside it above; the rows keep their order.
JOINED = [
    (
        ("train", 0),
        [
            ("p1", "a", "apple", b"A", "b", None, b"B"),
            ("p2", "c", "cherry", None, None, None, None),
            ("p3", "a", "apple", b"A", "d", "date", b"D"),
        ],
    ),
    (("train", 1), [("p4", "d", "date", b"D", "a", "apple", b"A")]),
    (("test", 0), [("p5", "b", None, b"B", None, None, None)]),
]


@pytest.mark.parametrize("num_item_shards", [1, 2, 7])
@pytest.mark.parametrize("part_bytes", [1, 1_000_000_000])
def test_each_pair_gets_its_items(
    num_item_shards: int, part_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pair_items, "_PART_BYTES", part_bytes)
    with TestPipeline() as pipeline:
        inputs = (
            pipeline | "Pairs" >> beam.Create(PAIRS, reshuffle=False),
            pipeline | "Catalog" >> beam.Create(CATALOG, reshuffle=False),
        )
        joined = inputs | JoinPairItems(num_item_shards) | beam.Map(as_rows)
        assert_that(joined, equal_to(JOINED))


def test_no_pairs() -> None:
    with TestPipeline() as pipeline:
        inputs = (
            pipeline | "Pairs" >> beam.Create([], reshuffle=False),
            pipeline | "Catalog" >> beam.Create(CATALOG, reshuffle=False),
        )
        assert_that(inputs | JoinPairItems(2), equal_to([]))


def test_more_than_fits_in_a_batch_says_what_to_lower(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair_items, "_MAX_COLUMN_BYTES", 9)
    # The titles of the shard's positives have 5 + 6 + 5 bytes.
    with pytest.raises(InputError, match=re.escape("16 bytes") + ".*lower ingest.rows_per_file"):
        pair_items._take(pa.array(["apple", "cherry"]), pa.array([0, 1, 0]))


def test_parts_hold_at_most_so_much() -> None:
    batches = [pa.RecordBatch.from_arrays([pa.array(np.arange(size))], ["x"]) for size in (1, 2, 1, 5, 1)]
    # Eight bytes each, up to four a part: 1 + 2, + 1; 5 is larger than a part; 1.
    assert [part.num_rows for part in join_parts(batches, 32)] == [4, 5, 1]
