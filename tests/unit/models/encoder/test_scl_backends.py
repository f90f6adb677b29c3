"""The same training on TensorFlow, on TensorFlow with two replicas, and on JAX."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[4]
SCRIPT = REPOSITORY / "tests" / "support" / "scl_run.py"

# 5 steps of 6 items, 0 to 29, in 20 rows: item i lies in row i modulo 20.
LAST_ITEMS = [20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]

Run = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """Trains in a process of its own, once for each set of arguments."""
    done: dict[tuple[str, str, int], Run] = {}

    def run(optimizer: str, backend: str = "tensorflow", replicas: int = 1) -> Run:
        key = (optimizer, backend, replicas)
        if key not in done:
            out = tmp_path_factory.mktemp("run") / "out.npz"
            options = ["--optimizer", optimizer, "--replicas", str(replicas)]
            command = [sys.executable, str(SCRIPT), str(out), *options]
            environment = os.environ | {"KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": ""}
            ended = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
            assert ended.returncode == 0, ended.stderr[-3_000:]
            with np.load(out) as arrays:
                done[key] = dict(arrays)
        return done[key]

    return run


def _assert_same_training(run: Run, other: Run, tolerance: float) -> None:
    np.testing.assert_allclose(run["losses"], other["losses"], rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(run["temperature"], other["temperature"], atol=tolerance)
    np.testing.assert_array_equal(run["item_ids"], other["item_ids"])
    assert run["position"] == other["position"] == 10
    np.testing.assert_allclose(run["keys"], other["keys"], atol=tolerance)
    weights = sorted(name for name in run if name.startswith("weight_"))
    assert weights == sorted(name for name in other if name.startswith("weight_"))
    for name in weights:
        np.testing.assert_allclose(run[name], other[name], atol=tolerance, err_msg=name)


def test_one_replica(train: Callable[..., Run]) -> None:
    run = train("sgd")
    assert run["item_ids"].tolist() == LAST_ITEMS
    np.testing.assert_allclose(np.linalg.norm(run["keys"], axis=1), np.ones(20), rtol=1e-5)
    assert len(np.unique(run["losses"])) == 5


def test_two_replicas_enqueue_what_one_would(train: Callable[..., Run]) -> None:
    # By plain gradient descent: Keras clips a replica's gradients before it adds them up, and its Adam adds
    # up the squares, not the gradients, of rows of embeddings, so with either one replica differs from two.
    run = train("sgd", replicas=2)
    assert run["item_ids"].tolist() == LAST_ITEMS
    _assert_same_training(run, train("sgd"), 1e-5)


def test_jax_trains_as_tensorflow_does(train: Callable[..., Run]) -> None:
    run, expected = train("adamw", "jax"), train("adamw")
    assert (run["backend"], expected["backend"]) == ("jax", "tensorflow")
    np.testing.assert_allclose(run["losses"][0], expected["losses"][0], atol=1e-4)
    # Five steps: bank, momentum update and optimizer agree too.
    _assert_same_training(run, expected, 1e-4)
