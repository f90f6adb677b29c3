"""A process that writes batches into an embedding index, to be killed.

    python embedding_writer.py lmdb:FOLDER|URL FIRST_BATCH [MAX_FILE_BYTES]

Says on stdout the number of each batch once it is acknowledged, or "full: …" and ends.
"""

import resource
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from serving.embedding_index.embedding_index import EmbeddingIndex
from serving.embedding_index.errors import IndexFull
from serving.embedding_index.lmdb_embedding_index import LmdbEmbeddingIndex
from serving.embedding_index.redis_embedding_index import RedisEmbeddingIndex

BATCH, DIM = 500, 64
# Every batch writes it anew.
NEWEST = "newest"


def open_index(place: str, readonly: bool = False) -> EmbeddingIndex:
    """The index in `lmdb:FOLDER`, or of a Redis's URL."""
    kind, _, folder = place.partition(":")
    return LmdbEmbeddingIndex(folder, readonly=readonly) if kind == "lmdb" else RedisEmbeddingIndex(place)


def item_ids(number: int) -> list[str]:
    """The items of a batch."""
    return [f"{number}-{item}" for item in range(BATCH)]


def write_batch(index: EmbeddingIndex, number: int) -> None:
    """Puts and announces a batch: every seventh item has no content, the others have vectors that say whose they are."""
    vectors = {
        name: None if item % 7 == 0 else np.full(DIM, 1000 * number + item, np.float32)
        for item, name in enumerate(item_ids(number))
    }
    newest = {NEWEST: np.full(DIM, number, np.float32)}
    index.put("v1", "image", vectors | newest, announce=True)


def count_stored(index: EmbeddingIndex, number: int) -> int:
    """How many items of a batch are stored; an item with something else than was put does not count."""
    known = index.known("v1", "image", item_ids(number))
    found = index.get_version("v1", "image", item_ids(number))
    return sum(
        is_known and (vector is None if item % 7 == 0 else bool((vector == 1000 * number + item).all()))
        for item, (is_known, vector) in enumerate(zip(known, found, strict=True))
    )


def announced(index: EmbeddingIndex) -> list[str]:
    """The whole feed."""
    item_ids: list[str] = []
    after = 0
    while changes := index.changes("image", "v1", after, 10_000):
        after = changes[-1].sequence
        item_ids += [change.item_id for change in changes]
    return item_ids


def main(arguments: Sequence[str]) -> None:
    """Writes until it is killed, or until the index is full."""
    place, first, *limit = arguments
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit[0]), int(limit[0])))
    index = open_index(place)
    number = int(first)
    try:
        while True:
            write_batch(index, number)
            print(number, flush=True)
            number += 1
    except IndexFull as error:
        print(f"full: {error}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
