"""Queries with what they retrieve, for a person to look at."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from components.encoder_evaluator.embedded_pairs import EmbeddedPairs
from components.encoder_evaluator.pair_index import PairIndex
from models.metrics.top_n_accuracy import Ranks, retrieve

COLUMNS = ("query_text", "query_image", "positive_item_id", "positive_title", "positive_image")
TOP = 5
SCHEMA = pa.schema(
    [
        ("query_text", pa.string()),
        ("query_image", pa.binary()),
        ("positive_item_id", pa.string()),
        ("positive_title", pa.string()),
        ("positive_image", pa.binary()),
        ("rank", pa.int64()),
        ("top_item_ids", pa.list_(pa.string())),
        ("top_titles", pa.list_(pa.string())),
        ("top_images", pa.list_(pa.binary())),
        ("top_similarities", pa.list_(pa.float32())),
    ]
)


def pick_pairs(ranks: Ranks, count: int, seed: int) -> np.ndarray:
    """Picks pairs at random: half with nothing above the positive and half with something, as far as there are.

    Returns:
        int64 `[at most count]`, rising.
    """
    order = np.random.default_rng(seed).permutation(len(ranks.above))
    is_first = ranks.above[order] == 0
    first, later = order[is_first], order[~is_first]
    from_first = min(len(first), max(count // 2, count - len(later)))
    return np.sort(np.concatenate([first[:from_first], later[: count - from_first]]))


def collect_examples(
    pairs: np.ndarray, embedded: EmbeddedPairs, index: PairIndex, batches: Iterable[pa.RecordBatch]
) -> pa.Table:
    """Retrieves for the picked pairs and fetches what there is to see.

    Args:
        pairs: int64 `[examples]`.
        embedded: all pairs' vectors.
        index: of the same pairs.
        batches: the pairs once more in the same order, with `COLUMNS`.
    """
    found = retrieve(embedded.queries[pairs], index.positives[pairs], embedded.candidates, TOP)
    wanted = np.union1d(pairs, index.first_pairs[found.indices])
    rows = dict(zip(wanted.tolist(), _fetch(wanted, batches), strict=True))
    examples = []
    for place, pair in enumerate(pairs.tolist()):
        top = [rows[first] for first in index.first_pairs[found.indices[place]].tolist()]
        examples.append(
            rows[pair]
            | {
                "rank": int(found.ranks[place]),
                "top_item_ids": [row["positive_item_id"] for row in top],
                "top_titles": [row["positive_title"] for row in top],
                "top_images": [row["positive_image"] for row in top],
                "top_similarities": found.similarities[place].tolist(),
            }
        )
    return pa.Table.from_pylist(examples, schema=SCHEMA)


def _fetch(wanted: np.ndarray, batches: Iterable[pa.RecordBatch]) -> list[dict[str, Any]]:
    """The rows with these numbers, which rise."""
    rows, start = [], 0
    for batch in batches:
        inside = wanted[slice(*np.searchsorted(wanted, [start, start + batch.num_rows]))] - start
        rows += batch.take(pa.array(inside)).to_pylist()
        start += batch.num_rows
    return rows
