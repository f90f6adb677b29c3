"""Measures what reading from the embedding index costs, and what filling it takes.

    python benchmarks/embedding_index.py [--quick]

1 million items, each with an image and a text vector of 128 dimensions, come from Parquet files as
CatalogEmbedder writes them through `load_embeddings` into each store: LMDB, and Redis where `redis-server` is
on PATH or ADLENS_REDIS_SERVER names it (on this machine, over a socket file, with `appendonly yes` and
`appendfsync everysec`).

What is timed is what ranking does for a request: the vectors of 200 items, both modalities, which are two
batched reads. The items are drawn at random from all, with ids as long as real ones, so that nothing but the
system's page cache helps. Then again while another process puts 32 new items ten times a second, as the
encoder service does at 16 times the 20 items a second that it has to keep up with. Each round times all
batches of both in turn; figures are medians of the rounds' figures. A vector of each read is compared with
what was written. Last come puts of 32 items, announced and not, in turn.

The bar is on LMDB's median beside the writer: a tenth of the 30 ms of the staged request of
`benchmarks/retrieve.py`. The p99 stands beside it without a bar, since on a machine with other work it says
more of that work.
"""

import argparse
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import redis

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.reporting import Bar, progress, report
from serving.embedding_index.embedding_index import EmbeddingIndex
from serving.embedding_index.lmdb_embedding_index import LmdbEmbeddingIndex
from serving.embedding_index.redis_embedding_index import RedisEmbeddingIndex

DIM, MODALITIES, READ_ITEMS = 128, ("image", "text"), 200
VERSION = "1"
PUT_ITEMS, PUT_SECONDS, TIMED_PUTS = 32, 0.1, 200
ROWS_PER_FILE = 50_000
BAR_MS = 3.0


def main() -> None:
    """Makes the files, fills each store, times reads and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer items and rounds, for a look")
    parser.add_argument("--write-into", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write_into:
        _write_new_items(options.write_into)

    num_items, rounds, batches = (50_000, 3, 200) if options.quick else (1_000_000, 7, 1_000)
    figures: dict[str, Any] = {
        "items": num_items,
        "dim": DIM,
        "modalities": len(MODALITIES),
        "read_items": READ_ITEMS,
    }
    with tempfile.TemporaryDirectory() as folder:
        progress(f"{num_items:,} items: writing Parquet files")
        embeddings = Path(folder) / "embeddings"
        _write_parquet(embeddings, num_items)
        place = f"lmdb:{folder}/lmdb"
        figures["lmdb"] = _measure(place, embeddings, num_items, rounds, batches)
        figures["lmdb"]["disk_mib"] = _mebibytes(Path(folder) / "lmdb")
        server = shutil.which(os.environ.get("ADLENS_REDIS_SERVER") or "redis-server")
        if server is None:
            progress("no redis-server on PATH or in ADLENS_REDIS_SERVER: Redis is left out")
        else:
            with _redis(server, Path(folder) / "redis") as url:
                figures["redis"] = _measure(url, embeddings, num_items, rounds, batches)
                with redis.Redis.from_url(url) as client:
                    figures["redis"]["memory_mib"] = round(client.info("memory")["used_memory"] / 2**20, 1)
            figures["redis"]["disk_mib"] = _mebibytes(Path(folder) / "redis")
    report(
        "embedding_index",
        figures,
        {"lmdb_p50_ms": Bar(figures["lmdb"]["beside_a_writer"]["p50_ms"], at_most=BAR_MS)},
    )


def _open(place: str) -> EmbeddingIndex:
    kind, _, folder = place.partition(":")
    # A put of 10,000 items takes Redis longer than it should take to answer a request.
    return LmdbEmbeddingIndex(folder) if kind == "lmdb" else RedisEmbeddingIndex(place, timeout_seconds=30)


def _item_ids(numbers: np.ndarray) -> list[str]:
    return [f"item_{number:09d}" for number in numbers.tolist()]


def _vectors(numbers: np.ndarray, modality: int) -> np.ndarray:
    """Unit vectors that follow from the items' numbers. float32 `[items, DIM]`."""
    angles = (1.0 + numbers[:, None]) * (1 + np.arange(DIM)) + modality
    vectors = np.sin(angles)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def _write_parquet(folder: Path, num_items: int) -> None:
    folder.mkdir()
    # As after the shuffle of CatalogEmbedder, items come in no order.
    order = np.random.default_rng(0).permutation(num_items)
    for file, start in enumerate(range(0, num_items, ROWS_PER_FILE)):
        numbers = order[start : start + ROWS_PER_FILE]
        columns: dict[str, Any] = {"item_id": _item_ids(numbers)}
        for place, modality in enumerate(MODALITIES):
            flat = pa.array(_vectors(numbers, place).ravel())
            offsets = np.arange(0, len(flat) + 1, DIM, dtype=np.int32)
            columns[f"{modality}_embedding"] = pa.ListArray.from_arrays(offsets, flat)
            columns[f"{modality}_encoder"] = ["made"] * len(numbers)
        pq.write_table(pa.table(columns), folder / f"embeddings-{file:05d}.parquet")


def _measure(place: str, embeddings: Path, num_items: int, rounds: int, batches: int) -> dict[str, Any]:
    # It brings TensorFlow along, without which the writer starts sooner.
    from serving.embedding_index.load_embeddings import load_embeddings

    name = "lmdb" if place.startswith("lmdb:") else "redis"
    progress(f"{name}: loading {num_items:,} items")
    index = _open(place)
    started = time.perf_counter()
    for modality in MODALITIES:
        load_embeddings(index, str(embeddings), modality, VERSION)
    measured: dict[str, Any] = {"load_seconds": round(time.perf_counter() - started, 1)}
    rng = np.random.default_rng(1)
    _time_reads(index, rng, num_items, batches)  # warms up
    alone, beside = [], []
    for number in range(rounds):
        progress(f"{name}: round {number + 1} of {rounds}")
        alone.append(_time_reads(index, rng, num_items, batches))
        with _writer(place):
            beside.append(_time_reads(index, rng, num_items, batches))
    measured |= {
        "alone": _medians(alone),
        "beside_a_writer": _medians(beside),
        "puts": _time_puts(index, rng),
    }
    index.close()
    return measured


def _time_puts(index: EmbeddingIndex, rng: np.random.Generator) -> dict[str, float]:
    """What a put takes, with and without announcing its items; most of them are in the feed already."""
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(TIMED_PUTS):
        for announce, taken in seconds.items():
            vectors = _new_vectors(rng)
            started = time.perf_counter()
            index.put(VERSION, MODALITIES[0], vectors, announce=announce)
            taken.append(time.perf_counter() - started)
    p50 = {announce: round(statistics.median(taken) * 1e3, 3) for announce, taken in seconds.items()}
    return {"p50_ms": p50[False], "announced_p50_ms": p50[True]}


def _time_reads(
    index: EmbeddingIndex, rng: np.random.Generator, num_items: int, batches: int
) -> dict[str, float]:
    """Figures of one round; checks that the first vectors of each batch are those that were written."""
    seconds = np.empty(batches)
    for batch in range(batches):
        numbers = rng.integers(num_items, size=READ_ITEMS)
        item_ids = _item_ids(numbers)
        started = time.perf_counter()
        found = [index.get(modality, item_ids) for modality in MODALITIES]
        seconds[batch] = time.perf_counter() - started
        for place, vectors in enumerate(found):
            np.testing.assert_array_equal(vectors[0], _vectors(numbers[:1], place)[0])
    p50, p99 = np.percentile(seconds, [50, 99]) * 1e3
    return {"batches_per_second": batches / seconds.sum(), "p50_ms": p50, "p99_ms": p99}


def _medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(float(statistics.median(one[name] for one in rounds)), 3) for name in rounds[0]}


@contextlib.contextmanager
def _writer(place: str) -> Iterator[None]:
    """Another process that puts new items, from its first put on and until this is left."""
    writer = subprocess.Popen([sys.executable, __file__, "--write-into", place], stdout=subprocess.PIPE)
    try:
        if writer.stdout is None or not writer.stdout.readline():
            raise RuntimeError(f"the writer ended with {writer.wait()}")
        yield
        if writer.poll() is not None:
            raise RuntimeError(f"the writer ended early with {writer.returncode}")
    finally:
        writer.kill()
        writer.communicate()


def _write_new_items(place: str) -> None:
    index = _open(place)
    rng = np.random.default_rng(2)
    for number in range(sys.maxsize):
        index.put(VERSION, MODALITIES[0], _new_vectors(rng), announce=True)
        if number == 0:
            print("writing", flush=True)
        time.sleep(PUT_SECONDS)


def _new_vectors(rng: np.random.Generator) -> dict[str, np.ndarray | None]:
    """A put's items, of few enough ids that the index grows by no more than a percent or so."""
    item_ids = [f"new_{item}" for item in rng.choice(10_000, PUT_ITEMS, replace=False)]
    return dict(zip(item_ids, _vectors(np.arange(PUT_ITEMS), 0), strict=True))


@contextlib.contextmanager
def _redis(server: str, folder: Path) -> Iterator[str]:
    folder.mkdir()
    options = {
        "dir": str(folder), "port": "0", "unixsocket": str(folder / "redis.sock"), "save": "",
        "appendonly": "yes", "appendfsync": "everysec",
    }  # fmt: skip
    arguments = [text for name, value in options.items() for text in (f"--{name}", value)]
    process = subprocess.Popen([server, *arguments], stdout=subprocess.DEVNULL)
    try:
        while not (folder / "redis.sock").exists():
            if process.poll() is not None:
                raise RuntimeError(f"{server} ended with {process.returncode}")
            time.sleep(0.05)
        yield f"unix://{folder}/redis.sock"
    finally:
        process.terminate()
        process.wait()


def _mebibytes(folder: Path) -> float:
    """What the files take on the disk."""
    blocks = sum(path.stat().st_blocks for path in folder.rglob("*") if path.is_file())
    return round(blocks * 512 / 2**20, 1)


if __name__ == "__main__":
    main()
