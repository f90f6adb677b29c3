"""Measures what retrieval through the index costs and finds, beside brute force.

    python benchmarks/retrieve.py [--quick]

At 10 thousand, 100 thousand and 1 million items of 2 x 64 dimensions, for the 100 best items of a user:

- index: `VectorIndex.search`, ScaNN, as `build_index` makes it with the users' vectors to measure the recall by; the
  recall that stands here is of other users. Item ids are made of places, as a caller gets them.
- exact_search: our own brute force, blocks of scores that stay in the processor's caches.
- matmul: NumPy's matrix product over all items and `argpartition`, the brute force that one would write first.
- faiss, hnswlib: where they are installed (they are no dependencies), each searched just widely enough for the same
  recall. hnswlib's graph takes long to build, so that it is there at 100 thousand items and fewer.

All take the same users in one batch, on all cores that the process may use; brute force takes fewer of them, for
its time does not depend on who they are. A round times each in turn, so that a machine that is busy for a while is
so for all. The bar is the median of the rounds' ratios of queries per second, against the faster brute force.

A staged request comes from end to end, one user at a time, on all cores too: from the raw columns of a user with 50
behaviors the vector, by the signature `serving_default` of a saved recall model with both experts, gates and reordering;
the 2,000 best of all items, with a tenth of the catalog sold out and 50 items bought already; and the 100 best of those
by the signature `reorder`. The model has an image and a text embedding of 128 dimensions of every item, and stands
behind a real TensorFlow Transform graph whose vocabulary has 100,000 items; the ids of the others are hashed. It is
loaded as a server would load it, and TensorFlow's runtime is called directly. Its weights are random, for speed does not
depend on them, so that the index's vectors are not its own, but of the same dimensions. That the stages give what
sorting all items by their whole scores gives, if all items are retrieved, is checked at the smallest size.

The vectors are made, but like those of a trained model with two gated experts, for i.i.d. Gaussian vectors, which no
model gives, have neither clusters nor a border between near and far and are the hardest for every index. Categories
lie in departments, are of very different sizes, and spread along few directions, since the spectra of trained
embeddings fall off. The ID half of an item's vector is longer the more clicks the item has, as sampled softmax makes
it; the content half is a unit vector, as frozen embeddings are. The gates follow the log-bucket of the clicks: for
items without clicks nearly all weight is on the content. A user is the mean of five items, mostly of two categories,
and some noise, its content half normalized.
"""

import argparse
import functools
import gc
import importlib.util
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.made_requests import analyze
from benchmarks.reporting import Bar, progress, report
from benchmarks.staged_request import (
    BLOCKED_SHARE,
    StagedServer,
    compare_with_exact,
    make_request,
    save_made_model,
)

# isort: split
import tensorflow_transform as tft

from serving.retrieval.build_index import build_index, measure_recall
from serving.retrieval.config import IndexConfig
from serving.retrieval.exact_search import exact_search
from serving.retrieval.vector_index import VectorIndex

HALF = 64
K, NUM_RETRIEVED = 100, 2_000
# Users that tune an index, those that it is asked for, and those of them that brute force is asked for.
TUNING, ASKED, BRUTE = 1_000, 2_000, 256
# The floor at building is above the bar's, as other users are asked than those that tune.
MIN_RECALL, RECALL_BAR, SPEEDUP_BAR, STAGED_BAR_MS = 0.96, 0.95, 10, 30
# Staged requests that are timed, those before them, and those of the smallest catalog that are checked.
TIMED, WARM_UP, CHECKED = 300, 20, 5
MAX_DIFFERENCE = 1e-5
MAX_HNSWLIB_ITEMS = 100_000
# Leaves, or candidates kept: where another library's search is widened no more.
MAX_EFFORT = 400
THREADS = len(os.sched_getaffinity(0))

# Scores of the k best items for each query, `[queries, k]`.
Search = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Way:
    """One way of searching. `asked`: the users of a call."""

    search: Search
    asked: np.ndarray


def main() -> None:
    """Makes the vectors, builds, compares, times all in turn and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer items and rounds, for a look")
    options = parser.parse_args()

    sizes = (10_000, 100_000) if options.quick else (10_000, 100_000, 1_000_000)
    figures: dict[str, Any] = {"threads": THREADS, "dim": 2 * HALF, "k": K}
    with tempfile.TemporaryDirectory() as folder:
        transform_output = analyze(np.random.default_rng(0), folder)
        for num_items in sizes:
            progress(f"{num_items:,} items: making vectors")
            vectors, users = make_vectors(np.random.default_rng(0), num_items, TUNING + ASKED)
            tuning, asked = users[:TUNING], users[TUNING:]
            index, measured = _build(vectors, tuning)
            measured |= _compare(index, vectors, tuning, asked, rounds=3 if options.quick else 7)
            measured["staged"] = _measure_staged(index, transform_output, is_checked=num_items == sizes[0])
            figures[f"{num_items}_items"] = measured
    # The bars are those of the largest size.
    bars = {
        "recall": Bar(measured["index"]["recall"], at_least=RECALL_BAR),
        "queries_per_second_over_brute_force": Bar(measured["over_brute_force"], at_least=SPEEDUP_BAR),
        "staged_ms": Bar(measured["staged"]["total_ms"], at_most=STAGED_BAR_MS),
        "staged_difference_to_exact": Bar(
            figures[f"{sizes[0]}_items"]["staged"]["difference_to_exact"], at_most=MAX_DIFFERENCE
        ),
    }
    report("retrieve", figures, bars)


def _build(vectors: np.ndarray, tuning: np.ndarray) -> tuple[VectorIndex, dict[str, Any]]:
    """The index, as it is after saving and loading, and what it took."""
    progress(f"{len(vectors):,} items: building the index")
    gc.collect()
    before = _resident_mib()
    config = IndexConfig(min_recall=MIN_RECALL, recall_at=K, exact_below=0)
    index = build_index([f"item_{item}" for item in range(len(vectors))], vectors, "made", config, tuning)
    measured: dict[str, Any] = {
        "build_seconds": index.description.build_seconds,
        "memory_mib": round(_resident_mib() - before, 1),
    }
    with tempfile.TemporaryDirectory() as folder:
        index.save(folder)
        measured["files_mib"] = round(sum(file.stat().st_size for file in Path(folder).iterdir()) / 2**20, 1)
        started = time.perf_counter()
        loaded = VectorIndex.load(folder)
        measured["load_seconds"] = round(time.perf_counter() - started, 2)
        del loaded
    parameters = index.description.parameters
    assert parameters is not None
    measured["leaves"] = parameters.num_leaves
    measured["leaves_searched"] = parameters.leaves_to_search(K)
    measured["reordered"] = parameters.num_reordered(K)
    return index, measured


def _compare(
    index: VectorIndex, vectors: np.ndarray, tuning: np.ndarray, asked: np.ndarray, rounds: int
) -> dict[str, Any]:
    """Recall and queries per second by way, and the index's speed over the faster brute force."""
    brute = asked[:BRUTE]
    ways = {
        "index": Way(lambda queries: np.array(index.search(queries, K)[1]), asked),
        "exact_search": Way(lambda queries: exact_search(queries, vectors, K)[1], brute),
        "matmul": Way(lambda queries: _matmul(queries, vectors), brute),
    }
    ways |= {name: Way(search, asked) for name, search in _others(vectors, tuning).items()}
    exact = exact_search(asked, vectors, K)[1]
    measured: dict[str, Any] = {
        name: {"recall": round(measure_recall(way.search(way.asked), exact[: len(way.asked)]), 4)}
        for name, way in ways.items()
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        for name, way in ways.items():
            rates[name].append(len(way.asked) / _seconds(functools.partial(way.search, way.asked)))
        line = ", ".join(f"{name} {rate[-1]:.0f}/s" for name, rate in rates.items())
        progress(f"{len(vectors):,} items: round {number + 1} of {rounds}: {line}")
    for name, rate in rates.items():
        measured[name]["queries_per_second"] = round(statistics.median(rate))
    over = (
        index_rate / max(both)
        for index_rate, *both in zip(rates["index"], rates["exact_search"], rates["matmul"], strict=True)
    )
    measured["over_brute_force"] = round(statistics.median(over), 2)
    wide = exact_search(brute, vectors, NUM_RETRIEVED)[1]
    measured["index"][f"recall_at_{NUM_RETRIEVED}"] = round(
        measure_recall(np.array(index.search(brute, NUM_RETRIEVED)[1]), wide), 4
    )
    return measured


def _measure_staged(
    index: VectorIndex, transform_output: tft.TFTransformOutput, is_checked: bool
) -> dict[str, float]:
    """The median milliseconds of a request's stages, and the difference to exact reordering where it is checked."""
    num_items = len(index)
    progress(f"{num_items:,} items: saving and loading the model")
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        model = save_made_model(rng, transform_output, num_items, folder)
        server = StagedServer(folder, index, rng.random(num_items) < BLOCKED_SHARE)
    requests = [make_request(rng, num_items) for _ in range(WARM_UP + TIMED)]
    measured = {}
    if is_checked:
        differences = [compare_with_exact(server, model, request, K) for request in requests[:CHECKED]]
        measured["difference_to_exact"] = float(np.max(differences))
    # The server has its own.
    del model
    progress(f"{num_items:,} items: {TIMED} staged requests")
    answers = [server.answer(request, NUM_RETRIEVED, K) for request in requests][WARM_UP:]
    for stage in answers[0].seconds:
        seconds = statistics.median(answer.seconds[stage] for answer in answers)
        measured[f"{stage}_ms"] = round(1_000 * seconds, 2)
    return measured


def _matmul(queries: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    found = []
    # As many at once as keeps the scores small.
    for start in range(0, len(queries), 32):
        scores = queries[start : start + 32] @ vectors.T
        best = np.argpartition(scores, len(vectors) - K, axis=1)[:, -K:]
        found.append(np.take_along_axis(scores, best, axis=1))
    return np.concatenate(found)


def _others(vectors: np.ndarray, tuning: np.ndarray) -> dict[str, Search]:
    """Other libraries' indexes, where they are installed."""
    exact = exact_search(tuning, vectors, K)[1]
    makers: dict[str, Callable[[np.ndarray], Callable[[int], Search]]] = {"faiss": _build_faiss}
    if len(vectors) <= MAX_HNSWLIB_ITEMS:
        makers["hnswlib"] = _build_hnswlib
    searches = {}
    for name, build in makers.items():
        if importlib.util.find_spec(name) is None:
            progress(f"{name} is not installed")
            continue
        progress(f"{len(vectors):,} items: building {name}")
        started = time.perf_counter()
        searches_of = build(vectors)
        progress(f"{len(vectors):,} items: {name} built in {time.perf_counter() - started:.1f} s")
        searches[name] = _widen(searches_of, tuning, exact)
    return searches


def _widen(searches_of: Callable[[int], Search], tuning: np.ndarray, exact: np.ndarray) -> Search:
    """The narrowest search, in steps as those of our own index, that has the recall; or the widest."""
    effort = 8.0
    while (recall := measure_recall(searches_of(round(effort))(tuning), exact)) < MIN_RECALL:
        if effort > MAX_EFFORT:
            break
        effort *= 1.25
    progress(f"effort {effort:.0f}, recall {recall:.4f} when tuned")
    return searches_of(round(effort))


def _build_faiss(vectors: np.ndarray) -> Callable[[int], Search]:
    """Leaves and 4-bit codes, with exact scores of the best, as ScaNN has them. Effort: the leaves searched."""
    import faiss

    faiss.omp_set_num_threads(THREADS)
    leaves = int(2 * len(vectors) ** 0.5)
    text = f"IVF{leaves},PQ{HALF}x4fs,RFlat"
    index = faiss.index_factory(2 * HALF, text, faiss.METRIC_INNER_PRODUCT)
    index.train(vectors[np.random.default_rng(0).permutation(len(vectors))[: 100 * leaves]])
    index.add(vectors)

    def searches_of(effort: int) -> Search:
        parameters = faiss.IndexRefineSearchParameters(
            k_factor=5, base_index_params=faiss.SearchParametersIVF(nprobe=effort)
        )
        # Few at once, for it makes a table for each query and leaf.
        return lambda queries: np.concatenate(
            [
                index.search(queries[start : start + 512], K, params=parameters)[0]
                for start in range(0, len(queries), 512)
            ]
        )

    return searches_of


def _build_hnswlib(vectors: np.ndarray) -> Callable[[int], Search]:
    """A graph of neighbors. Effort: candidates kept, beyond k."""
    import hnswlib

    index = hnswlib.Index(space="ip", dim=2 * HALF)
    index.init_index(max_elements=len(vectors), ef_construction=200, M=16)
    index.set_num_threads(THREADS)
    index.add_items(vectors)

    def searches_of(effort: int) -> Search:
        def search(queries: np.ndarray) -> np.ndarray:
            index.set_ef(K + effort)
            return 1 - index.knn_query(queries, K)[1]

        return search

    return searches_of


def make_vectors(rng: np.random.Generator, num_items: int, num_users: int) -> tuple[np.ndarray, np.ndarray]:
    """float32 `[items, 128]`, gated, and `[users, 128]`."""
    num_categories = max(num_items // 500, 20)
    departments = rng.integers(max(num_categories // 40, 5), size=num_categories)
    # The share of a category falls with its rank.
    shares = 1 / np.arange(5, num_categories + 5)
    categories = rng.choice(num_categories, num_items, p=shares / shares.sum()).astype(np.int32)
    clicks = np.floor(rng.pareto(1.1, num_items)).astype(np.float32)
    bucket = np.minimum(np.log2(1 + clicks), 12) / 12
    halves = [_cluster(rng, departments, categories) for _ in range(2)]
    halves[0] *= (0.5 + bucket)[:, None]
    # A user is made of ungated vectors.
    users = _make_users(rng, categories, halves, num_users)
    share_of_ids = (0.1 + 0.7 * bucket)[:, None]
    vectors = np.concatenate([share_of_ids * halves[0], (1 - share_of_ids) * halves[1]], axis=1)
    return vectors.astype(np.float32), users


def _cluster(rng: np.random.Generator, departments: np.ndarray, categories: np.ndarray) -> np.ndarray:
    """float32 `[items, 64]`, unit vectors around their category's center, which is around its department's."""
    spectrum = (1 + np.arange(HALF, dtype=np.float32)) ** -0.5

    def spread(count: int) -> np.ndarray:
        drawn = rng.standard_normal((count, HALF), np.float32) * spectrum
        return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)

    centers = 0.6 * spread(departments.max() + 1)[departments] + 0.8 * spread(len(departments))
    vectors = spread(len(categories))
    vectors *= 0.8
    vectors += centers[categories]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    # So that no coordinate matters more than another.
    rotation = np.linalg.qr(rng.standard_normal((HALF, HALF)))[0].astype(np.float32)
    return vectors @ rotation


def _make_users(
    rng: np.random.Generator, categories: np.ndarray, halves: list[np.ndarray], num_users: int
) -> np.ndarray:
    order = np.argsort(categories, kind="stable")
    starts = np.searchsorted(categories[order], np.arange(categories.max() + 2))
    users = np.empty((num_users, 2 * HALF), np.float32)
    for user in range(num_users):
        first, second = categories[rng.integers(len(categories), size=2)]
        liked = [_draw(rng, order, starts, category) for category in (first, first, first, second)]
        liked.append(int(rng.integers(len(categories))))
        for number, half in enumerate(halves):
            users[user, number * HALF : (number + 1) * HALF] = half[liked].mean(axis=0)
    users += 0.02 * rng.standard_normal(users.shape, np.float32)
    content = users[:, HALF:]
    content /= np.linalg.norm(content, axis=1, keepdims=True)
    return users


def _draw(rng: np.random.Generator, order: np.ndarray, starts: np.ndarray, category: int) -> int:
    return int(order[rng.integers(starts[category], starts[category + 1])])


def _seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
