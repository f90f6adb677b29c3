"""Encoders under a strategy learn what one worker learns from the same batches, and go on under another one.

Two processes are two workers, and one process has two logical devices; what one worker does is done in the
test's own process. Seven pairs in a step, so that two replicas never have the same number of them.
"""

import dataclasses
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import made_pairs
import numpy as np
import pytest
import replica_run
import tensorflow as tf

from models.encoder.checkpoints import Checkpoints
from models.encoder.query_pairs import read_batches

SCRIPT = Path(replica_run.__file__)
# TensorFlow notices within seconds that a worker is dead; a machine that is busy with others takes its time.
SECONDS_TO_NOTICE = 240

SMALL = {"embedding_dim": 8, "num_layers": 1, "num_heads": 2, "hidden_dim": 16, "mlp_dim": 16}
# 21 pairs are 3 steps an epoch, 6 in all, with a checkpoint each 2. Gradients are longer than 0.3, so that they
# are clipped; 26 rows in the bank, no multiple of the batch.
TRAINING = {
    "batch_size": 7,
    "epochs": 2,
    "checkpoint_steps": 2,
    "queue_size": 26,
    "learning_rate": 0.003,
    "global_clipnorm": 0.3,
}
IMAGE = {"image_size": 8, "patch_size": 4, "augmentation": 0.0, **SMALL, **TRAINING}
TEXT = {"max_length": 8, "vocabulary_size": 100, "dropout": 0.0, **SMALL, **TRAINING}


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a process ended: its status, what it said, and how long after the others it did."""

    status: int
    said: str
    at: float


@dataclasses.dataclass(frozen=True)
class Trained:
    """What all trainings left, and how the two workers ended."""

    folder: Path
    workers: list[Ended]

    def result(self, name: str) -> dict[str, Any]:
        return json.loads((self.folder / f"{name}.json").read_text())

    def checkpoint(self, name: str) -> dict[str, np.ndarray]:
        """Weights, bank and optimizer of the last step, by path."""
        folder = self.folder / f"{name}.checkpoints"
        state = json.loads((folder / "state.json").read_text())
        arrays: dict[str, np.ndarray] = {}

        def visit(path: str, node: h5py.Group | h5py.Dataset) -> None:
            if isinstance(node, h5py.Dataset):
                arrays[path] = node[()]

        with h5py.File(folder / state["files"]["last"]) as file:
            file.visititems(visit)
        return arrays


class KeptCheckpoints(Checkpoints):
    """Keeps what a training that is killed after its first checkpoint leaves, in FOLDER/two.checkpoints."""

    def save(self, model, state, is_best):
        super().save(model, state, is_best)
        if state["step"] == TRAINING["checkpoint_steps"]:
            shutil.copytree(self.folder, Path(self.folder).with_name("two.checkpoints"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("trained")
    files = {
        "train": made_pairs.write_pairs(folder / "train", 21),
        "eval": made_pairs.write_pairs(folder / "eval", 12, seed=1),
    }

    def case(
        name: str, modality: str, config: dict[str, Any], strategy: str = "none", **others: Any
    ) -> dict[str, Any]:
        own = {"name": name, "modality": modality, "config": config | {"strategy": strategy}}
        return own | files | {"folder": str(folder)} | others

    image = case("one", "image", IMAGE)
    replica_run.run(image, KeptCheckpoints)
    catalog = {"catalog": [made_pairs.write_catalog(folder / "catalog.parquet")], "text": TEXT}
    replicas = [
        case("title_image_replicas", "image", IMAGE, "mirrored", **catalog),
        case("dropout", "text", TEXT | {"dropout": 0.2}, "mirrored"),
    ]
    pair = [
        case("two", "image", IMAGE, "multi_worker", export=True),
        case("killed", "image", IMAGE, "multi_worker", dies=[1, 3]),
    ]
    started = [
        *_start_workers(folder / "workers", pair),
        _start(folder / "replicas", replicas, {}, "--devices=2"),
    ]
    replica_run.run(case("title_image", "image", IMAGE, **catalog))
    ended = _wait(started)
    assert (folder / "killed.checkpoints").exists(), ended[0].said[-3_000:]
    shutil.copytree(folder / "killed.checkpoints", folder / "again.checkpoints")
    # Of the two workers that one of left a checkpoint, one goes on alone.
    replica_run.run(case("again", "image", IMAGE))
    assert ended[2].status == 0, ended[2].said[-3_000:]
    return Trained(folder, ended[:2])


def _start_workers(folder: Path, cases: list[dict[str, Any]]) -> list[subprocess.Popen[str]]:
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("localhost", 0))
        cluster = {"worker": [f"localhost:{each.getsockname()[1]}" for each in (one, other)]}
    tasks = [{"type": "worker", "index": index} for index in range(2)]
    return [
        _start(folder, cases, {"TF_CONFIG": json.dumps({"cluster": cluster, "task": task})}) for task in tasks
    ]


def _start(
    name: Path, cases: list[dict[str, Any]], environment: dict[str, str], *options: str
) -> subprocess.Popen[str]:
    file = name.with_suffix(".json")
    file.write_text(json.dumps(cases))
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(file), *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "2"} | environment,
    )


def _wait(processes: list[subprocess.Popen[str]]) -> list[Ended]:
    """Waits for all, each with its pipe read meanwhile; whatever happens, none stays behind."""

    def wait(process: subprocess.Popen[str]) -> Ended:
        _, said = process.communicate(timeout=500)
        return Ended(process.returncode, said, time.monotonic())

    try:
        with ThreadPoolExecutor(len(processes)) as pool:
            return list(pool.map(wait, processes))
    finally:
        for process in processes:
            process.kill()


def _losses(result: dict[str, Any]) -> list[float]:
    return [point["loss"] for point in result["history"]["curve"]]


def _assert_same_training(trained: Trained, name: str, expected: str) -> None:
    result, other = trained.result(name), trained.result(expected)
    np.testing.assert_allclose(_losses(result), _losses(other), atol=1e-4, rtol=0)
    for key in ("step", "examples"):
        points, others = (each["history"]["curve"] for each in (result, other))
        assert [point[key] for point in points] == [point[key] for point in others]
    assert result["history"]["evaluations"] == other["history"]["evaluations"]
    np.testing.assert_allclose(result["vectors"], other["vectors"], atol=1e-4)
    arrays, others = trained.checkpoint(name), trained.checkpoint(expected)
    assert arrays.keys() == others.keys()
    for path, array in arrays.items():
        tolerance = 1e-4 if np.issubdtype(array.dtype, np.floating) else 0
        np.testing.assert_allclose(array, others[path], atol=tolerance, err_msg=path)


def test_two_workers_go_on_from_one_workers_checkpoint(trained: Trained) -> None:
    result = trained.result("two")
    assert result["replicas"] == 2
    assert len(_losses(result)) == 3
    _assert_same_training(trained, "two", "one")
    # 42 keys have come by; the bank holds 26 of them, and the next goes where 42 modulo 26 points to.
    arrays = trained.checkpoint("two")
    assert (arrays["bank/vars/1"][:26] >= 0).all()
    assert arrays["bank/vars/2"] == 16


def test_the_other_worker_comes_to_the_same(trained: Trained) -> None:
    chief, other = trained.result("two"), trained.result("two.worker-1")
    assert other["history"]["evaluations"] == chief["history"]["evaluations"]
    assert _losses(other) == _losses(chief)


def test_the_export_knows_of_no_strategy(trained: Trained) -> None:
    exported = tf.saved_model.load(str(trained.folder / "two.saved_model"))
    batch = next(read_batches([str(file) for file in sorted((trained.folder / "eval").iterdir())], "image"))
    queries = tf.constant(batch.column("query_image").to_pylist())
    vectors = exported.signatures["serving_default"](image_bytes=queries)["embedding"]
    np.testing.assert_allclose(vectors, trained.result("two")["vectors"], atol=1e-6)


def test_a_worker_whose_partner_dies_ends_in_one_line(trained: Trained) -> None:
    chief, dead = trained.workers
    assert dead.status == -9
    assert chief.status == 2, chief.said[-3_000:]
    assert chief.at - dead.at < SECONDS_TO_NOTICE
    last = chief.said.splitlines()[-1]
    assert last.startswith("error: a worker of this training is gone; start all workers again")


def test_one_worker_goes_on_from_two_workers_checkpoint(trained: Trained) -> None:
    state = json.loads((trained.folder / "killed.checkpoints" / "state.json").read_text())
    assert state["step"] == 2
    _assert_same_training(trained, "again", "one")


def test_titles_and_pictures_on_two_devices(trained: Trained) -> None:
    assert trained.result("title_image_replicas")["replicas"] == 2
    _assert_same_training(trained, "title_image_replicas", "title_image")


def test_dropout_on_two_devices(trained: Trained) -> None:
    # Replicas draw other numbers than one would; it trains.
    result = trained.result("dropout")
    assert (result["replicas"], result["history"]["steps"]) == (2, 6)
    assert np.isfinite(_losses(result)).all()
