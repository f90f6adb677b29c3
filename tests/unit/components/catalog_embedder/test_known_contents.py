import numpy as np
import pyarrow as pa
import pytest

from components.catalog_embedder import known_contents
from components.catalog_embedder.known_contents import JoinKnown, KnownContents


def batch(rows: list[tuple[str, int]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(
        {
            "item_id": pa.array([item for item, _ in rows], pa.string()),
            "content_hash": pa.array([content for _, content in rows], pa.int64()),
        }
    )


def join(*batches: pa.RecordBatch) -> KnownContents:
    combine = JoinKnown()
    accumulators = [combine.add_input(combine.create_accumulator(), rows) for rows in batches]
    return combine.extract_output(combine.merge_accumulators(accumulators))


def holds(known: KnownContents, items: list[str], contents: list[int | None]) -> list[bool]:
    return known.holds(pa.array(items, pa.string()), pa.array(contents, pa.int64())).tolist()


def test_item_and_content_both_count() -> None:
    known = join(batch([("a", 7), ("b", -3)]), batch([("c", 0)]))
    assert holds(known, ["a", "b", "c"], [7, -3, 0]) == [True, True, True]
    # Another content, another item's content, no content (even where the known one is 0), an unknown item.
    assert holds(known, ["a", "b", "c", "d"], [8, 7, None, 7]) == [False, False, False, False]


def test_nothing_is_known() -> None:
    assert holds(join(), ["a", "b"], [1, None]) == [False, False]


def test_items_of_one_hash_are_never_taken_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    # Every item has the hash 5: one of them is known by its content, and no item by the other's.
    monkeypatch.setattr(known_contents, "stable_hash", lambda values: np.full(len(values), 5, np.uint64))
    known = join(batch([("a", 1), ("b", 2)]))
    found = holds(known, ["a", "b", "a"], [1, 2, 3])
    assert sum(found[:2]) == 1 and not found[2]
