"""Measures what a request costs: one user and many candidates by `score_candidates`, and the same as tf.Examples.

    python benchmarks/score.py [--quick]

A model with SimTier and MAKE over two modalities, 128 dimensions each, of 100,000 items is saved with its
signatures behind a real TensorFlow Transform graph, loaded as a server would load it, and asked for the same
users, each with 50 behaviors, and the same 200 candidates in two ways:

- score_candidates: columns of the user once and of the candidates, with the embeddings of candidates and
  behaviors, as a gateway would hand them over; those it was saved with, so that both ways have the same.
- serving_default: 200 serialized tf.Examples, in each of which the user and the behaviors stand again. It finds
  the embeddings by the items' ids.

Requests are made before they are timed; what a gateway takes for making them counts for neither. They are asked
as a server for many users is asked: as many at once as there are cores, each on one thread. TensorFlow's runtime is
called directly, as a server does that has no Python in it; a signature called from Python takes half a millisecond
longer for each thirty inputs, most of which are `score_candidates`'.

A round asks for all users in one way, then in the other, so that a machine that is busy for a while is so for both;
the ratio is the median of the rounds' ratios, the milliseconds those of the requests. That both ways give the same
probabilities is checked first, and is a bar too.

The weights are random, for speed does not depend on them, and larger than training starts with, so that
candidates differ.
"""

import argparse
import functools
import itertools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.made_requests import KNOWN_ITEMS, make_embeddings, runtime_call
from benchmarks.reporting import Bar, progress, report
from benchmarks.scored_requests import make_scored_request, save_scoring_model

# isort: split
import tensorflow as tf

# Requests that are made and asked over and over.
REQUESTS = 20

# Asks once and gives the probabilities.
Ask = Callable[[], np.ndarray]
CLIENTS = len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Round:
    """All requests once. `wall`: seconds till the last was answered; `each`: seconds that each took."""

    wall: float
    each: list[float]


def main() -> None:
    """Saves, loads, compares, times both in turn and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds, for a look")
    options = parser.parse_args()

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    rng = np.random.default_rng(0)
    vectors = make_embeddings(rng, KNOWN_ITEMS)
    with tempfile.TemporaryDirectory() as folder:
        save_scoring_model(rng, vectors, folder, f"{folder}/model")
        progress("loading")
        # The signatures live as long as what was loaded.
        loaded = tf.saved_model.load(f"{folder}/model")
        requests = [make_scored_request(rng, vectors) for _ in range(REQUESTS)]
        ways: dict[str, list[Ask]] = {
            name: [functools.partial(runtime_call(name, loaded.signatures[name]), inputs) for inputs in each]
            for name, each in (
                ("score_candidates", [request.columns for request in requests]),
                ("serving_default", [{"examples": request.examples} for request in requests]),
            )
        }
        difference, deviation = _compare(ways)
        measured = _measure(ways, rounds=7 if options.quick else 31)
    ratios = (
        examples.wall / candidates.wall
        for examples, candidates in zip(
            measured["serving_default"], measured["score_candidates"], strict=True
        )
    )
    figures: dict[str, float] = {"clients": CLIENTS}
    for name, rounds in measured.items():
        latencies = itertools.chain.from_iterable(one.each for one in rounds)
        figures[f"{name}_ms"] = round(1_000 * statistics.median(latencies), 2)
        walls = statistics.median(one.wall for one in rounds)
        figures[f"{name}_requests_per_second"] = round(REQUESTS / walls)
    figures["deviation_of_probabilities"] = round(deviation, 3)
    bars = {
        "requests_per_second_over_serving_default": Bar(round(statistics.median(ratios), 2), at_least=5),
        "score_candidates_ms": Bar(figures["score_candidates_ms"], at_most=15),
        "difference_of_probabilities": Bar(difference, at_most=1e-5),
    }
    report("score", figures, bars)


def _compare(ways: Mapping[str, list[Ask]]) -> tuple[float, float]:
    """The greatest difference between the two ways' probabilities, and how far candidates differ."""
    progress("comparing")
    candidates, examples = (np.array([ask() for ask in each]) for each in ways.values())
    return float(np.abs(candidates - examples).max()), float(examples.std(axis=1).mean())


def _measure(ways: Mapping[str, list[Ask]], rounds: int) -> dict[str, list[Round]]:
    """The rounds by way."""
    measured: dict[str, list[Round]] = {name: [] for name in ways}
    with ThreadPoolExecutor(CLIENTS) as clients:
        for number in range(rounds):
            for name, requests in ways.items():
                started = time.perf_counter()
                each = list(clients.map(_seconds, requests))
                measured[name].append(Round(time.perf_counter() - started, each))
            line = ", ".join(
                f"{name} {REQUESTS / of[-1].wall:.0f} requests/s" for name, of in measured.items()
            )
            progress(f"round {number + 1} of {rounds}: {line}")
    return measured


def _seconds(ask: Ask) -> float:
    started = time.perf_counter()
    ask()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
