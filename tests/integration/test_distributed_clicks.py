"""Two logical devices, and two worker processes, learn what one replica learns; a stage that workers share."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_clicks import DIMS, MAX_BEHAVIORS, make_rows, make_vectors, write_embeddings, write_split
from tfx import types
from tfx.types import standard_artifacts

from components import artifacts
from components.make_trainer.executor import Executor
from models.make.config import MakeConfig
from transforms.configuration import to_json
from transforms.input_error import InputError

SCRIPT = Path(__file__).resolve().parents[1] / "support" / "clicks_run.py"
MODELS = ("content_ctr", "make", "recall")
STRATEGIES = ("mirrored", "multi_worker")

Found = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What all strategies came to; "worker/…" is what the second worker has."""
    folder = tmp_path_factory.mktemp("clicks")
    addresses = _free_addresses(2)
    processes = [_start(folder / "one.npz", "none", "mirrored", "--devices", "2")]
    for number in range(2):
        task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}}
        path = folder / f"worker-{number}.npz"
        processes.append(_start(path, "multi_worker", TF_CONFIG=json.dumps(task)))
    for process in processes:
        _, said = process.communicate(timeout=1_800)
        assert process.returncode == 0, said[-3_000:]
    read: Found = {}
    for name in ("one", "worker-0", "worker-1"):
        with np.load(folder / f"{name}.npz") as arrays:
            own = {key: arrays[key] for key in arrays.files}
        read |= {key.replace("multi_worker", "worker"): own[key] for key in own} if name[-1] == "1" else own
    return read


def _free_addresses(count: int) -> list[str]:
    sockets = [socket.create_server(("localhost", 0)) for _ in range(count)]
    addresses = [f"localhost:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    return addresses


def _start(path: Path, *flags: str, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(SCRIPT), str(path), "--strategy", *flags]
    return subprocess.Popen(
        command, env=os.environ | environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )


def _of(found: Found, prefix: str) -> Found:
    return {
        key.removeprefix(prefix): values for key, values in sorted(found.items()) if key.startswith(prefix)
    }


def test_there_are_two_replicas(found: Found) -> None:
    assert found["none/replicas"] == 1
    assert all(found[f"{strategy}/replicas"] == 2 for strategy in STRATEGIES)


@pytest.mark.parametrize("strategy", ("none", *STRATEGIES))
def test_adagrad_by_hand(found: Found, strategy: str) -> None:
    # Row 0 gets 2 on the first replica and 4 on the second: 6; row 1 gets 8 and row 3 nothing. The norm of all is
    # sqrt(36 + 64) = 10, so at most 5 halves them: 3 and 4. 16 + 9 = 25, step 3 / 5; 16 + 16 = 32, 4 / sqrt(32).
    first = [1 - 0.6, 1 - 4 / 32**0.5, 1, 1, 1]
    # One replica has the only slice of the second step, 3 for row 1: 32 + 9 = 41.
    second = [first[0], first[1] - 3 / 41**0.5, 1, 1, 1]
    for step, expected in enumerate((first, second)):
        for copy in found[f"{strategy}/adagrad/{step}"]:
            np.testing.assert_allclose(copy, expected, rtol=1e-6)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_losses_are_those_of_one_replica(found: Found, strategy: str, model: str) -> None:
    losses = found[f"none/{model}/losses"]
    assert len(losses) == 2
    # Two passes over 66 examples.
    assert found[f"{strategy}/{model}/examples"] == found[f"none/{model}/examples"] == 132
    np.testing.assert_allclose(found[f"{strategy}/{model}/losses"], losses, rtol=0, atol=1e-4)
    assert losses[1] < losses[0]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_weights_and_slots_are_those_of_one_replica(found: Found, strategy: str, model: str) -> None:
    expected, got = _of(found, f"none/{model}/"), _of(found, f"{strategy}/{model}/")
    assert expected.keys() == got.keys()
    assert got["slot_00"] == 12  # steps
    for key in expected:
        np.testing.assert_allclose(got[key], expected[key], rtol=1e-4, atol=1e-4, err_msg=key)


def test_workers_end_with_the_same_models(found: Found) -> None:
    chief, other = _of(found, "multi_worker/"), _of(found, "worker/")
    assert chief.keys() == other.keys()
    assert all(np.array_equal(chief[key], other[key]) for key in chief)


def _train_make(folder: Path, out: Path, strategy: str) -> tuple[Found, dict]:
    """Runs MakeTrainer's executor; the weights and the history."""

    def artifact(kind: type[types.Artifact], path: Path) -> types.Artifact:
        made = kind()
        made.uri = str(path)
        return made

    examples = artifact(standard_artifacts.Examples, folder / "examples")
    examples.split_names = '["train", "eval"]'
    config = MakeConfig((4,), (6, 5), 3, epochs=2, batch_size=32, learning_rate=0.01, strategy=strategy)
    Executor().Do(
        {"examples": [examples], "embeddings": [artifact(artifacts.Embeddings, folder / "embeddings")]},
        {
            "make": [artifact(artifacts.Make, out / "make")],
            "model_run": [artifact(standard_artifacts.ModelRun, out / "run")],
        },
        {"config": to_json(config), "modalities": ",".join(DIMS), "max_behaviors": MAX_BEHAVIORS},
    )
    with np.load(out / "make" / "make.npz") as arrays:
        weights = {name: arrays[name] for name in arrays.files}
    return weights, json.loads((out / "run" / "history.json").read_text())


@pytest.fixture(scope="module")
def make_inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("make")
    rows = make_rows(111)
    write_split(folder / "examples", "train", rows[:65])
    write_split(folder / "examples", "eval", rows[65:])
    write_embeddings(folder / "embeddings", make_vectors())
    return folder


def test_a_stage_that_workers_share(
    make_inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = {"worker": _free_addresses(2)}
    chief, other = (
        json.dumps({"cluster": cluster, "task": {"type": "worker", "index": number}}) for number in range(2)
    )
    calls = tmp_path / "calls"
    worker = subprocess.Popen(
        [sys.executable, "-m", "components.worker", "--calls", str(calls), "--trainings", "1"],
        env=os.environ | {"TF_CONFIG": other},
        stderr=subprocess.PIPE,
        text=True,
    )
    monkeypatch.setenv("TF_CONFIG", chief)
    monkeypatch.setenv("ADLENS_CALLS", str(calls))
    shared, shared_history = _train_make(make_inputs, tmp_path / "shared", "multi_worker")
    said = worker.communicate(timeout=1_800)[1]
    assert worker.returncode == 0, said[-3_000:]
    monkeypatch.delenv("TF_CONFIG")
    alone, history = _train_make(make_inputs, tmp_path / "alone", "none")
    assert shared.keys() == alone.keys()
    for name, weight in alone.items():
        np.testing.assert_allclose(shared[name], weight, rtol=1e-4, atol=1e-5)
    losses = [[epoch["loss"] for epoch in each["epochs"]] for each in (shared_history, history)]
    np.testing.assert_allclose(*losses, rtol=0, atol=1e-4)
    # The chief has taken the call back, and the other worker wrote nothing where the stage's outputs are.
    assert list(calls.iterdir()) == []
    assert sorted(path.name for path in (tmp_path / "shared").iterdir()) == ["make", "run"]


def test_a_shared_stage_needs_a_place_for_calls(
    make_inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ADLENS_CALLS", raising=False)
    with pytest.raises(InputError, match="expected ADLENS_CALLS to name a folder"):
        _train_make(make_inputs, tmp_path, "multi_worker")


def test_a_mistake_comes_back_in_one_line(
    make_inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADLENS_CALLS", str(tmp_path / "calls"))
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(InputError, match="^strategy multi_worker expected TF_CONFIG .* got none$"):
        _train_make(make_inputs, tmp_path, "multi_worker")
    assert list((tmp_path / "calls").iterdir()) == []
