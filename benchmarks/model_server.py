"""Measures what the model server adds to a request, and what batching brings.

    python benchmarks/model_server.py [--quick]

Clients and servers are in one process and speak gRPC; what clients take for it counts too, so a server alone does
more. Requests are made before they are timed.

- A text encoder of two layers, untrained, is asked for one title a request by 8 and by 32 callers, each for the next
  when it has the last one's answer: of a server without batching and of one with the parameters that
  docs/model_server.md shows.
- The model of `benchmarks/score.py` is asked for the probabilities of 200 candidates, by one caller: over gRPC and
  by TensorFlow's runtime alone, in the same process.

Rounds ask both ways of each in turn, so that a machine that is busy for a while is so for both; ratios and
differences are the medians of the rounds'. That both ways of each answer the same is a bar.
"""

import argparse
import contextlib
import functools
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.made_requests import KNOWN_ITEMS, make_embeddings, runtime_call
from benchmarks.reporting import Bar, progress, report
from benchmarks.scored_requests import ScoredRequest, make_scored_request, save_scoring_model

# isort: split
import grpc
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from models.encoder.build import build_encoder
from models.encoder.config import TextEncoderConfig
from serving.encoder_signatures import save_encoder
from serving.model_server.batching_parameters import BatchingParameters
from serving.model_server.model_config import single_model
from serving.model_server.model_server import ModelServer
from serving.model_server.server_options import ServerOptions
from sources.marketplace.params import MarketplaceParams
from sources.marketplace.style import random_styles
from sources.marketplace.words import write_titles

TITLES, SCORED = 1_000, 20
CALLERS = (8, 32)
ENCODER, SCORER, SIGNATURE = "text_encoder", "ctr", "score_candidates"
BATCHING = BatchingParameters(
    max_batch_size=32,
    batch_timeout_micros=2_000,
    max_enqueued_batches=100,
    num_batch_threads=2,
    allowed_batch_sizes=(8, 32),
)
TIMEOUT_SECONDS = 60

# Asks once and gives the answer.
Ask = Callable[[], np.ndarray]


def main() -> None:
    """Saves the models, serves them, measures and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds, for a look")
    rounds = 3 if parser.parse_args().quick else 15
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        figures, bars = _measure_encoder(rng, Path(name), rounds)
        score_figures, score_bars = _measure_scores(rng, Path(name), rounds)
    report("model_server", figures | score_figures, bars | score_bars)


def _measure_encoder(
    rng: np.random.Generator, folder: Path, rounds: int
) -> tuple[dict[str, float], dict[str, Bar]]:
    """Requests a second of the text encoder, with and without batching."""
    titles = _save_encoder(rng, folder)
    requests = [_request(ENCODER, "", {"text": tf.constant([title])}) for title in titles]
    with _served(ENCODER, folder, None) as single, _served(ENCODER, folder, BATCHING) as batching:
        ways = {
            name: [_asking(stub, request, "embedding") for request in requests]
            for name, stub in (("one_by_one", single), ("batched", batching))
        }
        difference = _compare(ways)
        speeds: dict[tuple[str, int], list[float]] = {(name, n): [] for n in CALLERS for name in ways}
        for number, callers in itertools.product(range(rounds), CALLERS):
            for name, asks in ways.items():
                speeds[name, callers].append(len(asks) / _seconds(asks, callers))
            line = ", ".join(f"{name} {speeds[name, callers][-1]:.0f} requests/s" for name in ways)
            progress(f"round {number + 1} of {rounds}: {callers} callers: {line}")
    figures: dict[str, float] = {
        f"{name}_{callers}_callers_requests_per_second": round(statistics.median(own))
        for (name, callers), own in speeds.items()
    }
    ratios = {
        callers: _ratio(speeds["batched", callers], speeds["one_by_one", callers]) for callers in CALLERS
    }
    # Of few callers a batch waits for more than it finds.
    figures["batched_over_one_by_one_8_callers"] = ratios[8]
    return figures, {
        "batched_over_one_by_one_32_callers": Bar(ratios[32], at_least=1.3),
        "difference_of_embeddings": Bar(difference, at_most=1e-5),
    }


def _measure_scores(
    rng: np.random.Generator, folder: Path, rounds: int
) -> tuple[dict[str, float], dict[str, Bar]]:
    """Milliseconds of a request to `score_candidates`, over gRPC and without a server."""
    vectors = make_embeddings(rng, KNOWN_ITEMS)
    directory = str(folder / SCORER / "1")
    save_scoring_model(rng, vectors, str(folder), directory)
    made = [make_scored_request(rng, vectors) for _ in range(SCORED)]
    progress("loading")
    # The signature lives as long as what was loaded.
    loaded = tf.saved_model.load(directory)
    with _served(SCORER, folder, None) as stub:
        ways = {
            "over_grpc": [
                _asking(stub, _request(SCORER, SIGNATURE, one.columns), "probabilities") for one in made
            ],
            "tensorflow": _called(loaded, made),
        }
        difference = _compare(ways)
        times: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(rounds):
            for name, asks in ways.items():
                times[name].append(1_000 * _seconds(asks, callers=1) / len(asks))
            line = ", ".join(f"{name} {own[-1]:.2f} ms" for name, own in times.items())
            progress(f"round {number + 1} of {rounds}: {line}")
    figures = {f"{SIGNATURE}_{name}_ms": round(statistics.median(own), 2) for name, own in times.items()}
    added = [over - bare for over, bare in zip(times["over_grpc"], times["tensorflow"], strict=True)]
    return figures, {
        f"{SIGNATURE}_added_ms": Bar(round(statistics.median(added), 2), at_most=5),
        "difference_of_probabilities": Bar(difference, at_most=1e-5),
    }


def _save_encoder(rng: np.random.Generator, folder: Path) -> list[str]:
    """Writes the encoder's first version, with a vocabulary of the titles, which it gives."""
    progress("saving the text encoder")
    categories = rng.integers(0, MarketplaceParams().num_categories, TITLES)
    titles = write_titles(rng, categories, random_styles(rng, TITLES))
    pairs = folder / "pairs.parquet"
    pq.write_table(pa.table({"query_text": titles, "positive_title": titles}), pairs)
    encoder = build_encoder(TextEncoderConfig(), [str(pairs)])
    save_encoder(encoder, "untrained", str(folder), str(folder / ENCODER / "1"))
    return list(titles)


@contextlib.contextmanager
def _served(
    name: str, folder: Path, batching: BatchingParameters | None
) -> Iterator[prediction_service_pb2_grpc.PredictionServiceStub]:
    """A server of one model on this machine, and a client's way to it."""
    models = single_model(name, str(folder / name))
    server = ModelServer(ServerOptions(models, host="127.0.0.1", grpc_port=0, batching=batching))
    server.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
            yield prediction_service_pb2_grpc.PredictionServiceStub(channel)
    finally:
        server.stop()


def _request(model: str, signature: str, inputs: dict[str, tf.Tensor]) -> predict_pb2.PredictRequest:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request


def _asking(
    stub: prediction_service_pb2_grpc.PredictionServiceStub, request: predict_pb2.PredictRequest, output: str
) -> Ask:
    def ask() -> np.ndarray:
        return tf.make_ndarray(stub.Predict(request, timeout=TIMEOUT_SECONDS).outputs[output])

    return ask


def _called(loaded: tf.Module, requests: Sequence[ScoredRequest]) -> list[Ask]:
    call = runtime_call(SIGNATURE, loaded.signatures[SIGNATURE])
    return [functools.partial(call, request.columns) for request in requests]


def _compare(ways: dict[str, list[Ask]]) -> float:
    """The greatest difference between the two ways' answers; asked by many at once, so that batches are filled."""
    progress("comparing")
    for asks in ways.values():
        asks[0]()  # the first request optimizes the graph
    with ThreadPoolExecutor(max(CALLERS)) as callers:
        first, second = (np.array(list(callers.map(_answer, asks))) for asks in ways.values())
    return float(np.abs(first - second).max())


def _answer(ask: Ask) -> np.ndarray:
    return ask()


def _seconds(asks: Sequence[Ask], callers: int) -> float:
    """Until all is answered, by so many at once."""
    with ThreadPoolExecutor(callers) as pool:
        started = time.perf_counter()
        for _ in pool.map(_answer, asks):
            pass
        return time.perf_counter() - started


def _ratio(first: Sequence[float], second: Sequence[float]) -> float:
    return round(statistics.median(a / b for a, b in zip(first, second, strict=True)), 2)


if __name__ == "__main__":
    main()
