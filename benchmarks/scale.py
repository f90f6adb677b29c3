"""Time and memory of ingest and of click training over 1, 2, 4 and 8 times the demo's logs.

    python benchmarks/scale.py [--quick] [--rounds N]

Logs n times as large have n times the users, items, shops, searches and impressions over the same days: a shop that
grows has more shoppers and products, while a shopper's day, and with it the behaviors of an impression, stays what
it was. Were impressions alone to grow, every impression would bring a longer history and the cost of one would
change for that reason.

A size is ingested, looked through (statistics, schema, vocabularies) and trained on by the pipeline's own stages,
each in a process of its own on Beam's in-memory runner, whose peak memory (VmHWM, imports included) is the stage's:
none of them starts processes. The model is the default one, SimTier and MAKE over two modalities of 128 dimensions,
with random unit vectors in place of encoders' embeddings; the speed does not depend on their values.

Sizes take turns in rounds, so that a machine busy for a while is so for all; a ratio is the median of the rounds'
ratios. The bars compare what a further impression costs in large logs, from 4 to 8 times, with what it costs in small
ones, from 1 to 4 times: of a single size a part is fixed (imports, tracing, export), which would flatter the large.
They are of processor seconds; the seconds that passed stand beside, and on a machine that others use are theirs too.
"""

import argparse
import dataclasses
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.new_process import in_new_process, peak_memory_bytes
from benchmarks.reporting import Bar, progress, report
from sources.marketplace import PRESETS, MarketplaceParams, simulate

FACTORS = (1, 2, 4, 8)
MODALITIES = ("image", "text")
EMBEDDING_DIM = 128
# Before the last two and a half of fourteen days: the share of impressions that trains is the same in every size.
TRAIN_END, EVAL_END = "2024-01-12", "2024-01-13T12:00"

# What is reported of a further row, and of which rows.
COSTS = {
    "ingest_seconds": "impressions",
    "ingest_cpu_seconds": "impressions",
    "statistics_seconds": "impressions",
    "transform_seconds": "impressions",
    "prepare_cpu_seconds": "impressions",
    "train_fit_seconds": "examples",
    "train_cpu_seconds": "examples",
}

Measurement = dict[str, float]


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Attributes:
        params: of the marketplace that is one time as large.
        rounds: how often each size is measured.
    """

    params: MarketplaceParams
    rounds: int


def times_as_large(params: MarketplaceParams, factor: int) -> MarketplaceParams:
    """A marketplace of more users, items and shops over the same days, with as much going on for each."""
    grown = ("num_users", "num_items", "num_shops", "num_impressions", "num_searches")
    return dataclasses.replace(params, **{name: factor * getattr(params, name) for name in grown})


FULL = Size(PRESETS["demo"], 3)
QUICK = Size(times_as_large(PRESETS["tiny"], 4), 1)


def main() -> None:
    """Makes the logs, measures in rounds, and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="an eighth of the size and one round, for a look"
    )
    parser.add_argument("--rounds", type=int, help="how often each size is measured, 3 by default")
    options = parser.parse_args()
    size = QUICK if options.quick else FULL
    count = options.rounds or size.rounds
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    with tempfile.TemporaryDirectory(prefix="adlens-scale-") as name:
        folder = Path(name)
        for factor in FACTORS:
            params = times_as_large(size.params, factor)
            progress(f"making logs of {params.num_impressions:,} impressions")
            in_new_process(simulate, params, folder / f"logs{factor}")
        rounds = [_measure_round(folder, number, count) for number in range(1, count + 1)]
        bytes_each = in_new_process(_bytes_per_impression, folder / f"logs{FACTORS[-1]}")
    _report(rounds, bytes_each)


def _measure_round(folder: Path, number: int, rounds: int) -> dict[int, Measurement]:
    measured = {}
    for factor in FACTORS:
        root = folder / "root"
        logs = folder / f"logs{factor}"
        figures: Measurement = {}
        for work in (_ingest, _prepare, _train):
            figures |= in_new_process(work, str(logs), str(root))
        shutil.rmtree(root)
        measured[factor] = figures
        progress(f"round {number} of {rounds}, {factor} times: {json.dumps(figures)}")
    return measured


def _ingest(logs: str, root: str) -> Measurement:
    from pipeline.pipeline import create_ingest_pipeline

    return _run_stages(create_ingest_pipeline, logs, root, {"ingest": ("LogIngest",)})


def _prepare(logs: str, root: str) -> Measurement:
    """Statistics, schema and Transform's vocabularies; LogIngest is done already."""
    from pipeline.pipeline import create_preparation_pipeline

    stages = {"statistics": ("StatisticsGen",), "transform": ("Transform",)}
    return _run_stages(create_preparation_pipeline, logs, root, stages)


def _run_stages(create: Any, logs: str, root: str, named: Mapping[str, Sequence[str]]) -> Measurement:
    """Runs a pipeline; the seconds of some of its stages, and the processor's and the peak memory of all."""
    from pipeline import lineage
    from pipeline.pipeline import PIPELINE_NAME
    from pipeline.progress import quiet
    from pipeline.root import Root
    from pipeline.run import execute, fingerprint_logs

    config = _run_config()
    with quiet(Root(root).log), open(os.devnull, "w", encoding="utf-8") as nowhere:
        pipeline = create(logs, root, config, fingerprint_logs(logs, config))
        started = time.process_time()
        execute(pipeline, "local", nowhere)
        cpu_seconds = time.process_time() - started
    store = lineage.open_store(Root(root))
    figures: Measurement = {}
    for name, nodes in named.items():
        figures[f"{name}_seconds"] = sum(s["seconds"] for s in lineage.stages(store, PIPELINE_NAME, nodes))
    work = next(iter(named)) if len(named) == 1 else "prepare"
    return figures | {f"{work}_cpu_seconds": cpu_seconds, f"{work}_peak_bytes": peak_memory_bytes()}


def _train(logs: str, root: str) -> Measurement:
    """The executor of CtrTrainer, from examples to the exported model."""
    from tfx.types import standard_artifacts

    from components import artifacts
    from components.ctr_trainer.executor import Executor
    from models.ctr.config import CtrConfig
    from models.make.config import MakeConfig
    from pipeline import lineage
    from pipeline.pipeline import PIPELINE_NAME
    from pipeline.progress import quiet
    from pipeline.root import Root
    from transforms.configuration import to_json

    store = lineage.open_store(Root(root))
    ingested = lineage.last_outputs(store, PIPELINE_NAME, "LogIngest")
    transformed = lineage.last_outputs(store, PIPELINE_NAME, "Transform")
    embedding_bytes = _write_embeddings(ingested["catalog"], f"{root}/embeddings")
    examples = _artifact(standard_artifacts.Examples, ingested["examples"])
    examples.split_names = '["train", "eval", "test"]'
    inputs = {
        "examples": [examples],
        "transform_graph": [
            _artifact(standard_artifacts.TransformGraph, transformed["transform_graph"]),
        ],
        "embeddings": [_artifact(artifacts.Embeddings, f"{root}/embeddings")],
    }
    outputs = {
        "model": [_artifact(standard_artifacts.Model, f"{root}/model")],
        "model_run": [_artifact(standard_artifacts.ModelRun, f"{root}/run")],
    }
    config = CtrConfig(modalities=MODALITIES)
    properties = {
        "ingest": to_json(_run_config().ingest),
        "config": to_json(config),
        # Trained with the rest of the model, so that one training is all there is to measure.
        "make_config": to_json(MakeConfig(epochs=0)),
    }
    started, cpu_started = time.perf_counter(), time.process_time()
    with quiet(Root(root).log):
        Executor().Do(inputs, outputs, properties)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    history = json.loads(Path(root, "run", "history.json").read_text(encoding="utf-8"))
    counts = json.loads(Path(ingested["rejects"], "counts.json").read_text(encoding="utf-8"))
    return {
        "impressions": sum(counts["splits"].values()),
        "examples": history["examples"],
        "examples_bytes": _folder_bytes(ingested["examples"]),
        "train_seconds": seconds,
        "train_fit_seconds": history["seconds"],
        "train_cpu_seconds": cpu_seconds,
        "train_peak_bytes": peak_memory_bytes(),
        "embedding_bytes": embedding_bytes,
        "model_bytes": _folder_bytes(f"{root}/model"),
    }


def _run_config() -> Any:
    """Ingest, statistics and Transform, without the encoders that are not measured here."""
    from models.ctr.config import CtrConfig
    from pipeline.config import RunConfig
    from transforms.ingest_config import IngestConfig

    ingest = IngestConfig(train_end=TRAIN_END, eval_end=EVAL_END)
    return RunConfig(modalities=(), train_recall=False, ingest=ingest, ctr=CtrConfig("id"))


def _artifact(kind: Any, uri: str) -> Any:
    made = kind()
    made.uri = uri
    return made


def _write_embeddings(catalog: str, folder: str) -> int:
    """Unit vectors that point anywhere for every item. Returns their bytes in memory."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    item_ids = pq.read_table(catalog, columns=["item_id"])["item_id"].combine_chunks()
    rng = np.random.default_rng(0)
    columns = {"item_id": item_ids}
    for modality in MODALITIES:
        vectors = rng.standard_normal((len(item_ids), EMBEDDING_DIM), np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        offsets = np.arange(len(item_ids) + 1, dtype=np.int32) * EMBEDDING_DIM
        columns[f"{modality}_embedding"] = pa.ListArray.from_arrays(offsets, vectors.ravel())
        columns[f"{modality}_encoder"] = pa.array([f"random {modality}"] * len(item_ids))
    os.makedirs(folder)
    pq.write_table(pa.table(columns), f"{folder}/embeddings-00000-of-00001.parquet")
    return len(MODALITIES) * len(item_ids) * EMBEDDING_DIM * 4


def _folder_bytes(folder: str) -> int:
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())


def _bytes_per_impression(logs: Path) -> dict[str, float]:
    """What an impression takes in the log, and packed as the shuffle between users' shards moves it."""
    import pyarrow.parquet as pq

    from transforms.record_batches import pack

    table = pq.read_table(logs / "impressions")
    batch = table.slice(0, 50_000).combine_chunks().to_batches()[0]
    return {
        "log_bytes_per_impression": _folder_bytes(str(logs / "impressions")) / len(table),
        "packed_bytes_per_impression": len(pack(batch)) / len(batch),
    }


def _report(rounds: list[dict[int, Measurement]], bytes_each: dict[str, float]) -> None:
    first, last = FACTORS[0], FACTORS[-1]
    figures: dict[str, Any] = {"rounds": len(rounds)}
    for factor in FACTORS:
        for name in rounds[0][factor]:
            figures[f"{name}_at_{factor}"] = _median(measured[factor][name] for measured in rounds)
    for name, of in COSTS.items():
        row = of.removesuffix("s")
        figures[f"{name}_micro_per_further_{row}"] = _median(
            1e6 * _slope(m, name, of, first, last) for m in rounds
        )
        figures[f"{name}_per_{row}_at_{last}_over_{first}"] = _median(
            m[last][name] / m[last][of] / (m[first][name] / m[first][of]) for m in rounds
        )
    for name in ("ingest_peak_bytes", "prepare_peak_bytes"):
        grown = _median(_slope(m, name, "impressions", first, last) for m in rounds)
        figures[f"{name}_per_further_impression"] = grown
    figures |= {name: round(value, 1) for name, value in bytes_each.items()}
    ingest = _median(_growth(m, "ingest_cpu_seconds", "impressions") for m in rounds)
    training = _median(_growth(m, "train_cpu_seconds", "examples") for m in rounds)
    held = _median(_held_bytes_per_example(m) for m in rounds)
    bars = {
        "ingest_of_a_further_impression_large_over_small": Bar(ingest, at_most=1.3),
        "training_of_a_further_example_large_over_small": Bar(training, at_most=1.3),
        "training_bytes_held_per_further_example": Bar(held, at_most=300),
    }
    report("scale", figures, bars)


def _median(values: Iterable[float]) -> float:
    return round(statistics.median(values), 2)


def _slope(measured: dict[int, Measurement], name: str, of: str, small: int, large: int) -> float:
    """What one more of the rows adds, from one size to another."""
    return (measured[large][name] - measured[small][name]) / (measured[large][of] - measured[small][of])


def _growth(measured: dict[int, Measurement], name: str, of: str) -> float:
    """What one more of the rows adds in the larger logs, over what it adds in the smaller ones."""
    small, middle, large = FACTORS[0], FACTORS[2], FACTORS[3]
    return _slope(measured, name, of, middle, large) / _slope(measured, name, of, small, middle)


def _held_bytes_per_example(measured: dict[int, Measurement]) -> float:
    """What training holds more of for each further example, beyond what is as large as the catalog and the tables.

    The saved model has the tables, their optimizer's slots and the embeddings; they are in memory once as variables,
    once as read, and once more while they are saved.
    """
    small, large = measured[FACTORS[0]], measured[FACTORS[-1]]
    tables = 3 * (large["model_bytes"] - small["model_bytes"])
    grown = large["train_peak_bytes"] - small["train_peak_bytes"] - tables
    return grown / (large["examples"] - small["examples"])


if __name__ == "__main__":
    main()
