"""Measures what SimTier costs, beside a loop over its tiers and beside the similarities that it counts.

    python benchmarks/simtier.py [--quick]

Timed in turns, each over the same batches of 2,048 impressions with 50 behaviors, embeddings of 128 numbers and
20 tiers:

- similarities: dot products of targets and behaviors, whose embeddings have been looked up already.
- similarities_and_layer: the same, and the layer on them.
- layer: `SimTier` alone, on similarities that are there.
- loop: Algorithm 1 as it is written, on the same similarities: for each tier, the sum of those within.

All run as TensorFlow graphs. A call takes all batches, as a training step takes all that it computes, so that
starting a graph from Python, which costs about as much as the layer, is hardly counted. A round times all four,
so that a machine that is busy for a while is so for all, each after a call that does not count and leaves in the
caches what is its own; a ratio is the median of the rounds' ratios.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import models  # noqa: F401  (chooses the Keras of the process before TensorFlow is imported)

# isort: split
import tensorflow as tf

from benchmarks.reporting import Bar, progress, report
from models.layers.sim_tier import SimTier

BATCH_SIZE, LENGTH, DIM, NUM_TIERS = 2_048, 50, 128, 20
# In a call.
BATCHES = 32

# Runs once over all batches.
Run = Callable[[], object]
# By name the seconds of a batch in each round.
Seconds = dict[str, list[float]]


def main() -> None:
    """Times all in turn and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds, for a look")
    options = parser.parse_args()

    seconds = _measure(rounds=7 if options.quick else 31)
    figures = {f"{name}_ms": round(1_000 * statistics.median(values), 3) for name, values in seconds.items()}
    bars = {
        "loop_over_layer": Bar(_ratio(seconds, "loop", "layer"), at_least=5),
        "similarities_and_layer_over_similarities": Bar(
            _ratio(seconds, "similarities_and_layer", "similarities"), at_most=1.3
        ),
    }
    report("simtier", figures, bars)


def _measure(rounds: int) -> Seconds:
    runs = _runs()
    seconds: Seconds = {name: [] for name in runs}
    for number in range(rounds):
        for name, run in runs.items():
            run()
            started = time.perf_counter()
            run()
            seconds[name].append((time.perf_counter() - started) / BATCHES)
        line = ", ".join(f"{name} {1_000 * values[-1]:.2f} ms" for name, values in seconds.items())
        progress(f"round {number + 1} of {rounds}: {line}")
    return seconds


def _ratio(seconds: Seconds, over: str, under: str) -> float:
    rounds = zip(seconds[over], seconds[under], strict=True)
    return round(statistics.median(a / b for a, b in rounds), 3)


def _runs() -> dict[str, Run]:
    rng = np.random.default_rng(0)
    behaviors = tf.constant(_unit_vectors(rng, BATCH_SIZE, LENGTH, DIM))
    targets = [tf.constant(_unit_vectors(rng, BATCH_SIZE, DIM)) for _ in range(BATCHES)]
    padding_mask = tf.sequence_mask(rng.integers(0, LENGTH + 1, BATCH_SIZE), LENGTH)
    # Over all tiers, which those of random directions would not be.
    spread = [tf.constant(rng.uniform(-1, 1, (BATCH_SIZE, LENGTH)), tf.float32) for _ in range(BATCHES)]
    layer = SimTier(NUM_TIERS)

    def similarities(target: tf.Tensor) -> tf.Tensor:
        return tf.einsum("bd,bld->bl", target, behaviors)

    return {
        "similarities": _over_batches(similarities, targets),
        "similarities_and_layer": _over_batches(
            lambda target: layer(similarities(target), padding_mask), targets
        ),
        "layer": _over_batches(lambda similarity: layer(similarity, padding_mask), spread),
        "loop": _over_batches(lambda similarity: _loop(similarity, padding_mask), spread),
    }


def _loop(similarity: tf.Tensor, padding_mask: tf.Tensor) -> tf.Tensor:
    """Algorithm 1, tier by tier; the last one holds 1 too."""
    counts = []
    for tier in range(NUM_TIERS):
        lower, upper = -1 + 2 * tier / NUM_TIERS, -1 + 2 * (tier + 1) / NUM_TIERS
        below = similarity < upper if tier < NUM_TIERS - 1 else similarity <= upper
        inside = (similarity >= lower) & below & padding_mask
        counts.append(tf.reduce_sum(tf.cast(inside, tf.float32), axis=1))
    return tf.stack(counts, axis=1)


def _over_batches(compute: Callable[[tf.Tensor], tf.Tensor], batches: list[tf.Tensor]) -> Run:
    """One graph for all batches, each computed for itself."""
    graph = tf.function(lambda inputs: [compute(batch) for batch in inputs])
    return lambda: graph(batches)


def _unit_vectors(rng: np.random.Generator, *shape: int) -> np.ndarray:
    vectors = rng.normal(size=shape).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


if __name__ == "__main__":
    main()
