"""Measures what a large memory bank adds to a step of contrastive training.

    python benchmarks/scl.py [--quick]

Timed in turns, each for a few steps a round:

- with_bank: a step of `SclModel` under plain `fit`, with a full bank of 196,800 keys of 128 numbers.
- encoder_alone: the same step (queries forward and backward, keys forward, momentum update, optimizer) with a
  loss that looks at no bank.
- products: the bare products of the bank's shape that a step needs: queries · keysᵀ, and its gradient by the
  queries for a dense upstream, so two products of that shape.
- product: the first of them alone.

The bank's part is the difference of the first two. Its bar is against `products`, for a loss cannot be
differentiated by the queries with less than the two. Against the forward product alone, which is a figure here
too, the ratio is therefore about 2. What the bank does beyond the products: exponentials of batch x 196,800
logits, masking of the same item, gathering its rows and writing the new keys.

A round is short and times all four, so that a machine that is busy for a while is so for all; a figure is the
median of the rounds, the bank's part the median of the rounds' differences. Processor time stands beside, which
other work disturbs less.
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
import keras
import tensorflow as tf

from benchmarks.reporting import Bar, progress, report
from models.encoder.build import build_image_encoder
from models.encoder.config import ImageEncoderConfig
from models.encoder.scl_model import SclModel

QUEUE_SIZE, DIM, IMAGE_SIZE = 196_800, 128, 64
# In a round, of each.
STEPS = 3

# Runs so many steps.
Run = Callable[[int], None]
# By name the seconds of a step in each round.
Seconds = dict[str, list[float]]


class EncoderAlone(SclModel):
    """A step that encodes, learns and follows as `SclModel` does, and compares with nothing."""

    def _negative_terms(self, scaled_queries: tf.Tensor, *_: object) -> tf.Tensor:
        return tf.zeros_like(scaled_queries[:, 0])


def main() -> None:
    """Times all in turn, a few rounds for each batch size, and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer steps and rounds, for a look")
    options = parser.parse_args()
    rounds, batch_sizes = (9, (64,)) if options.quick else (25, (64, 256))

    figures: dict[str, float] = {}
    bars: dict[str, Bar] = {}
    for batch_size in batch_sizes:
        wall, processor = _measure(batch_size, rounds)
        for name, values in wall.items():
            figures[f"{name}_ms_{batch_size}"] = round(1_000 * statistics.median(values), 2)
        figures[f"bank_ms_{batch_size}"] = round(1_000 * _bank_part(wall), 2)
        figures[f"bank_over_forward_product_{batch_size}"] = _ratio(wall, "product")
        figures[f"bank_over_products_in_processor_time_{batch_size}"] = _ratio(processor, "products")
        bars[f"bank_over_products_{batch_size}"] = Bar(_ratio(wall, "products"), at_most=1.5)
    report("scl", figures, bars)


def _measure(batch_size: int, rounds: int) -> tuple[Seconds, Seconds]:
    """On the clock, and of the processor."""
    runs: dict[str, Run] = {
        "with_bank": _training(SclModel, QUEUE_SIZE, batch_size),
        "encoder_alone": _training(EncoderAlone, 1, batch_size),
        "products": _products(batch_size, with_gradient=True),
        "product": _products(batch_size, with_gradient=False),
    }
    for name, run in runs.items():
        progress(f"batch {batch_size}: warming up {name}")
        run(STEPS)
    wall: Seconds = {name: [] for name in runs}
    processor: Seconds = {name: [] for name in runs}
    for number in range(rounds):
        for name, run in runs.items():
            started, processor_started = time.perf_counter(), time.process_time()
            run(STEPS)
            wall[name].append((time.perf_counter() - started) / STEPS)
            processor[name].append((time.process_time() - processor_started) / STEPS)
        line = ", ".join(f"{name} {1_000 * values[-1]:,.1f} ms" for name, values in wall.items())
        progress(f"batch {batch_size}: round {number + 1} of {rounds}: {line}")
    return wall, processor


def _bank_part(seconds: Seconds) -> float:
    pairs = zip(seconds["with_bank"], seconds["encoder_alone"], strict=True)
    return statistics.median(a - b for a, b in pairs)


def _ratio(seconds: Seconds, under: str) -> float:
    return round(_bank_part(seconds) / statistics.median(seconds[under]), 3)


def _training(model_class: type[SclModel], queue_size: int, batch_size: int) -> Run:
    """Steps of `fit` over one batch that lies in memory, with a full bank."""
    encoder = build_image_encoder(ImageEncoderConfig(image_size=IMAGE_SIZE, embedding_dim=DIM))
    model = model_class(encoder, DIM, queue_size, triplet_weight=0.0)
    model.bank.keys.assign(_unit_vectors(model.bank.keys.shape[0], seed=1))
    model.bank.item_ids.assign(tf.range(model.bank.item_ids.shape[0]) + batch_size)
    model.compile(optimizer=keras.optimizers.AdamW(1e-4, global_clipnorm=1.0), jit_compile=False)
    rng = np.random.default_rng(0)
    roles = ("query", "positive", "negative")
    pictures = {role: rng.uniform(0, 255, (batch_size, IMAGE_SIZE, IMAGE_SIZE, 3)) for role in roles}
    batch = {role: values.astype(np.float32) for role, values in pictures.items()} | {
        "has_negative": np.ones(batch_size, np.float32),
        "item_id": np.arange(batch_size, dtype=np.int32),
    }
    batches = tf.data.Dataset.from_tensors(batch).repeat()

    def run(steps: int) -> None:
        model.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0)

    return run


def _products(batch_size: int, with_gradient: bool) -> Run:
    """The bare products of the bank's shape."""
    queries, keys = tf.constant(_unit_vectors(batch_size)), tf.constant(_unit_vectors(QUEUE_SIZE, seed=1))
    upstream = tf.constant(np.random.default_rng(2).random((batch_size, QUEUE_SIZE), np.float32))

    @tf.function
    def multiply() -> tuple[tf.Tensor, ...]:
        with tf.GradientTape() as tape:
            tape.watch(queries)
            logits = tf.matmul(queries, keys, transpose_b=True)
        return (logits, tape.gradient(logits, queries, upstream)) if with_gradient else (logits,)

    def run(steps: int) -> None:
        for _ in range(steps):
            multiply()[-1].numpy()

    return run


def _unit_vectors(count: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, DIM)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


if __name__ == "__main__":
    main()
