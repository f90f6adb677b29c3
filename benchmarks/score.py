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
import itertools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import models  # noqa: F401  (chooses the Keras of the process before TensorFlow is imported)

# isort: split
import pyarrow as pa
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

from benchmarks.reporting import Bar, progress, report
from models.content.item_index import ItemIndex
from models.ctr.config import CtrConfig
from models.ctr.model import CtrModel
from serving.signatures import save_ctr_model
from transforms.configuration import to_json
from transforms.feature import model_features
from transforms.ingest_config import IngestConfig
from transforms.preprocessing import BEHAVIOR_COLUMNS, LABEL, preprocessing_fn, table_rows

NUM_ITEMS, NUM_CATEGORIES, NUM_SHOPS, NUM_USERS = 100_000, 1_000, 10_000, 10_000
# The analysis sees every item: as many rows as it takes, with their behaviors.
NUM_ROWS = 4_000
EMBEDDING_DIM = 128
MODALITIES = ("image", "text")
CANDIDATES = 200
# Requests that are made and asked over and over.
REQUESTS = 20
INGEST = IngestConfig()
LENGTH = INGEST.max_behaviors
WEIGHT_DEVIATION = 0.1

STRINGS = ("impression_id", "user_id", *BEHAVIOR_COLUMNS, *(feature.name for feature in INGEST.features))
SPEC = {
    **{name: tf.io.VarLenFeature(tf.string) for name in STRINGS},
    **{f"behavior_{name}": tf.io.VarLenFeature(tf.string) for name in BEHAVIOR_COLUMNS},
    **{name: tf.io.VarLenFeature(tf.int64) for name in ("timestamp", LABEL)},
}

# A row of the raw columns.
Row = dict[str, list]
# Asks once and gives the probabilities.
Ask = Callable[[], np.ndarray]
CLIENTS = len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Request:
    """One user and the candidates, made for both ways of asking."""

    columns: dict[str, tf.Tensor]
    examples: tf.Tensor


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
    vectors = _embeddings(rng)
    with tempfile.TemporaryDirectory() as folder:
        _save(rng, vectors, folder)
        progress("loading")
        # The signatures live as long as what was loaded.
        loaded = tf.saved_model.load(f"{folder}/model")
        requests = [_request(rng, vectors) for _ in range(REQUESTS)]
        ways = {
            name: [_ask(name, loaded.signatures[name], inputs) for inputs in each]
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


def _ask(
    name: str, signature: tf.types.experimental.ConcreteFunction, inputs: Mapping[str, tf.Tensor]
) -> Ask:
    """Calls the signature's graph as one operation."""
    places = {tensor.op.name.removeprefix(f"{name}_"): tensor for tensor in signature.inputs}
    arguments = [inputs[place] for place in places if place in inputs] + list(signature.captured_inputs)
    return lambda: tf.raw_ops.StatefulPartitionedCall(args=arguments, Tout=[tf.float32], f=signature)[
        0
    ].numpy()


def _save(rng: np.random.Generator, vectors: Mapping[str, np.ndarray], folder: str) -> None:
    """Writes the SavedModel to `folder`/model."""
    progress(f"analyzing {NUM_ROWS:,} rows")
    transform_output = _analyze(rng, folder)
    progress("saving the model")
    features = model_features(INGEST.features)
    sizes = {feature.name: table_rows(feature, transform_output) for feature in features}
    shapes = {modality: table.shape for modality, table in vectors.items()}
    model = CtrModel(features, sizes, CtrConfig(), shapes)
    for variable in model.trainable_variables:
        variable.assign(WEIGHT_DEVIATION * rng.standard_normal(variable.shape, np.float32))
    model.embeddings.assign(vectors)
    ids = pa.array([_item(item)["item_id"][0] for item in range(NUM_ITEMS)])
    rows = dict.fromkeys(MODALITIES, np.arange(1, 1 + NUM_ITEMS, dtype=np.int32))
    index = ItemIndex(ids, rows, LENGTH)
    transform_layer = transform_output.transform_features_layer()
    save_ctr_model(model, transform_layer, SPEC, features, LENGTH, f"{folder}/model", index)


def _analyze(rng: np.random.Generator, folder: str) -> tft.TFTransformOutput:
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(SPEC))
    with tft_beam.Context(temp_dir=f"{folder}/tmp"):
        analyzed = (list(_rows(rng)), metadata) | tft_beam.AnalyzeDataset(
            lambda inputs: preprocessing_fn(inputs, {"ingest": to_json(INGEST)})
        )
        _ = analyzed | tft_beam.WriteTransformFn(f"{folder}/transform")
    return tft.TFTransformOutput(f"{folder}/transform")


def _rows(rng: np.random.Generator) -> Iterator[Row]:
    """Impressions whose behaviors go through all items in turn."""
    items = itertools.cycle(range(NUM_ITEMS))
    for number in range(NUM_ROWS):
        behaviors = list(itertools.islice(items, LENGTH))
        yield _user(number, behaviors) | _item(int(rng.integers(NUM_ITEMS)))


def _user(number: int, behaviors: list[int]) -> Row:
    behaved = [_item(item) for item in behaviors]
    return {
        "impression_id": [f"impression_{number}"],
        "user_id": [f"user_{number % NUM_USERS}"],
        **{feature.name: [f"{feature.name}_{number % 7}"] for feature in INGEST.features},
        "timestamp": [number],
        LABEL: [number % 2],
        **{f"behavior_{name}": [one[name][0] for one in behaved] for name in BEHAVIOR_COLUMNS},
    }


def _item(item: int) -> Row:
    return {
        "item_id": [f"item_{item}"],
        "category_id": [f"category_{item % NUM_CATEGORIES}"],
        "shop_id": [f"shop_{item % NUM_SHOPS}"],
    }


def _embeddings(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Unit vectors that point anywhere, by modality; row 0 is zeros, and item i has row i + 1."""
    vectors = {}
    for modality in MODALITIES:
        table = rng.standard_normal((1 + NUM_ITEMS, EMBEDDING_DIM), np.float32)
        table /= np.linalg.norm(table, axis=1, keepdims=True)
        table[0] = 0
        vectors[modality] = table
    return vectors


def _request(rng: np.random.Generator, vectors: Mapping[str, np.ndarray]) -> Request:
    behaviors = rng.integers(NUM_ITEMS, size=LENGTH)
    items = rng.choice(NUM_ITEMS, CANDIDATES, replace=False)
    user = _user(int(rng.integers(NUM_ROWS)), behaviors.tolist())
    candidates = [_item(item) for item in items.tolist()]
    columns = {name: tf.constant(user[name]) for name in ("user_id", *(f.name for f in INGEST.features))}
    for name in BEHAVIOR_COLUMNS:
        columns[f"behavior_{name}"] = tf.constant([user[f"behavior_{name}"]])
        columns[name] = tf.constant([candidate[name][0] for candidate in candidates])
    for modality, table in vectors.items():
        columns[f"behavior_{modality}_embedding"] = tf.constant(table[1 + behaviors][None])
        columns[f"{modality}_embedding"] = tf.constant(table[1 + items])
    return Request(columns, tf.constant([_serialize(user | candidate) for candidate in candidates]))


def _serialize(row: Row) -> bytes:
    features = {
        name: tf.train.Feature(int64_list=tf.train.Int64List(value=values))
        if SPEC[name].dtype == tf.int64
        else tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode() for value in values]))
        for name, values in row.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


if __name__ == "__main__":
    main()
