"""Measures what reading items from the item store costs.

    python benchmarks/item_store.py [--quick]

What is timed is what the gateway does for a request: the columns of 250 items, behaviors and candidates, in one
read. They are drawn at random from 100,000 items with a title and three features each, in each store: LMDB, and
Redis where `redis-server` is on PATH (on this machine, over a socket file, with `appendonly yes` and
`appendfsync always`). Every read is compared with what was written; figures are medians of the rounds' figures.

The bar is on LMDB's median.
"""

import argparse
import random
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / folder) for folder in ("", "tests/support")]

from redis_server import RedisServer

from benchmarks.reporting import Bar, progress, report
from serving.item_store.item_store import ItemStore
from serving.item_store.open_item_store import open_item_store
from serving.item_store.stored_item import StoredItem

READ_ITEMS, PUT_ITEMS = 250, 5_000
BAR_MS = 2.0


def main() -> None:
    """Fills each store, times reads and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer items and rounds, for a look")
    options = parser.parse_args()
    num_items, rounds, reads = (20_000, 3, 100) if options.quick else (100_000, 7, 500)
    items = [_item(number) for number in range(num_items)]
    figures: dict[str, object] = {"items": num_items, "read_items": READ_ITEMS}
    with tempfile.TemporaryDirectory() as folder:
        lmdb = _measure("lmdb", f"{folder}/lmdb", items, rounds, reads)
        figures["lmdb"] = lmdb
        if shutil.which("redis-server") is None:
            progress("no redis-server on PATH: Redis is left out")
        else:
            server = RedisServer(Path(folder))
            server.start()
            figures["redis"] = _measure("redis", server.url, items, rounds, reads)
            server.stop()
    report("item_store", figures, {"lmdb_p50_ms": Bar(lmdb["p50_ms"], at_most=BAR_MS)})


def _item(number: int) -> StoredItem:
    features = {"price": number / 7, "brand": f"brand_{number % 50}", "age": 3.5}
    category, shop = f"category_{number % 100}", f"shop_{number % 1_000}"
    return StoredItem(f"item_{number:09d}", category, shop, f"a title of some words, {number}", features)


def _measure(name: str, address: str, items: list[StoredItem], rounds: int, reads: int) -> dict[str, float]:
    progress(f"{name}: putting {len(items):,} items")
    store = open_item_store(address)
    started = time.perf_counter()
    for start in range(0, len(items), PUT_ITEMS):
        store.put(items[start : start + PUT_ITEMS], {})
    loading = time.perf_counter() - started
    rng = random.Random(0)
    _time_reads(store, items, rng, reads)  # warms up
    p50s, p99s = zip(*(_time_reads(store, items, rng, reads) for _ in range(rounds)), strict=True)
    store.close()
    return {
        "load_seconds": round(loading, 1),
        "p50_ms": round(statistics.median(p50s), 3),
        "p99_ms": round(statistics.median(p99s), 3),
    }


def _time_reads(
    store: ItemStore, items: list[StoredItem], rng: random.Random, reads: int
) -> tuple[float, float]:
    """The p50 and p99 of one round, in ms."""
    seconds = np.empty(reads)
    for read in range(reads):
        wanted = rng.choices(items, k=READ_ITEMS)
        item_ids = [item.item_id for item in wanted]
        started = time.perf_counter()
        found = store.get(item_ids)
        seconds[read] = time.perf_counter() - started
        if found != wanted:
            raise RuntimeError("expected the items that were put, got others")
    p50, p99 = np.percentile(seconds, [50, 99]) * 1e3
    return float(p50), float(p99)


if __name__ == "__main__":
    main()
