"""A training of clicks that is killed goes on as if it had not been."""

import json
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.continuation.fit_checkpoints import STATE_FILE, FitCheckpoints
from models.continuation.fit_passes import FitPasses
from models.continuation.fit_state import FitState
from transforms.input_error import InputError

sys.path.append(str(Path(__file__).resolve().parents[3] / "support"))
from clicks_run import train_model

# Two passes over 66 examples in batches of 13: six steps each, the last with one example.
STEPS = 6


class Killed(Exception):
    """Stands for a kill."""


class Kill(keras.callbacks.Callback):
    """Ends a training after so many steps in all, or at the end of a pass."""

    def __init__(self, step: int | None = None, epoch: int | None = None) -> None:
        super().__init__()
        self.step, self.epoch, self.steps = step, epoch, 0

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.steps += 1
        if self.steps == self.step:
            raise Killed

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if epoch == self.epoch:
            raise Killed


def kept(folder: Path) -> tuple[int, int]:
    """The pass and the batch that the training goes on with."""
    state = json.loads((folder / STATE_FILE).read_text())["state"]
    return state["epoch"], state["batch"]


def state_of(model: keras.Model) -> list[np.ndarray]:
    return [variable.numpy() for variable in (*model.weights, *model.optimizer.variables)]


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    """What trainings come to that nobody kills, by model."""
    return {name: train_model(name, "none") for name in ("ctr", "make", "recall")}


@pytest.mark.parametrize(
    ("strategy", "name", "every", "kill", "place"),
    [
        # The kill comes before the step's own checkpoint, if it has one.
        ("mirrored", "ctr", 4, Kill(step=6), (0, 4)),
        ("none", "ctr", 4, Kill(step=STEPS + 1), (1, 0)),
        # Nothing is left of the pass but its end, where MAKE measures itself.
        ("none", "make", 3, Kill(epoch=0), (0, 6)),
        ("mirrored", "make", 3, Kill(epoch=0), (0, 6)),
        ("none", "make", 3, Kill(epoch=1), (1, 6)),
        ("none", "recall", 2, Kill(step=STEPS + 3), (1, 2)),
        ("mirrored", "recall", 2, Kill(step=STEPS + 3), (1, 2)),
    ],
)
def test_goes_on_as_if_it_had_not_been_killed(
    whole: dict[str, Any],
    tmp_path: Path,
    strategy: str,
    name: str,
    every: int,
    kill: Kill,
    place: tuple[int, int],
) -> None:
    checkpoints = FitCheckpoints(str(tmp_path), every)
    with pytest.raises(Killed):
        train_model(name, "none", checkpoints=checkpoints, callbacks=[kill])
    assert kept(tmp_path) == place
    # The checkpoint is of one replica; it goes on under the strategy.
    counting = Kill()
    model, history = train_model(name, strategy, checkpoints=checkpoints, callbacks=[counting])
    assert counting.steps == 2 * STEPS - place[0] * STEPS - place[1], "only what was left"
    expected, expected_history = whole[name]
    for ours, theirs in zip(state_of(model), state_of(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    assert history["examples"] == 132
    assert model.optimizer.iterations == 2 * STEPS
    # A point of the curve ends with a checkpoint; the last of a pass still has the pass's last examples.
    points, expected_points = history["curve"], expected_history["curve"]
    assert [point["step"] for point in points] == sorted({*(point["step"] for point in points), 6, 12})
    total = sum(
        point["loss"] * (point["examples"] - before)
        for point, before in zip(points, [0, *(p["examples"] for p in points)], strict=False)
    )
    assert total == pytest.approx(sum(66 * point["loss"] for point in expected_points), rel=1e-5)
    seconds = [*(point["seconds"] for point in points), history["seconds"]]
    assert seconds == sorted(seconds)
    for ours, theirs in zip(history.get("epochs", []), expected_history.get("epochs", []), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4)


def test_a_checkpoint_of_replicas_goes_on_with_one(whole: dict[str, Any], tmp_path: Path) -> None:
    checkpoints = FitCheckpoints(str(tmp_path), 4)
    with pytest.raises(Killed):
        train_model("recall", "mirrored", checkpoints=checkpoints, callbacks=[Kill(step=STEPS + 5)])
    assert kept(tmp_path) == (1, 4)
    counting = Kill()
    model, _ = train_model("recall", "none", checkpoints=checkpoints, callbacks=[counting])
    assert counting.steps == 2
    for ours, theirs in zip(state_of(model), state_of(whole["recall"][0]), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_the_last_checkpoint_alone_is_kept_and_leaves_the_embeddings_out(tmp_path: Path) -> None:
    checkpoints = FitCheckpoints(str(tmp_path), 2)
    model, _ = train_model("make", "none", checkpoints=checkpoints)
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    assert folder.name == "epoch-0001-batch-000000006"
    frozen = {tuple(variable.shape) for variable in model.embeddings.weights}
    learned = [v for v in model.weights if tuple(v.shape) not in frozen]
    slots = [v for v in model.optimizer.variables if v is not model.optimizer.iterations]
    sizes = sorted(path.stat().st_size for path in folder.iterdir())
    assert sizes == sorted(4 * int(np.prod(v.shape)) for v in (*learned, *slots))
    checkpoints.remove()
    assert not tmp_path.exists()


def test_a_kill_while_a_checkpoint_is_written_leaves_the_one_before(
    whole: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = FitCheckpoints(str(tmp_path), 2)
    with pytest.raises(Killed):
        train_model("make", "none", checkpoints=checkpoints, callbacks=[Kill(step=3)])

    def killed(*arguments: object, **options: object) -> None:
        raise Killed

    model, _ = whole["make"]
    with monkeypatch.context() as patched:
        patched.setattr(tf.io.gfile, "rename", killed)
        with pytest.raises(Killed):
            checkpoints.save(model, FitState(1, 4))
    assert kept(tmp_path) == (0, 2)
    assert checkpoints.restore(train_model("make", "none")[0]).batch == 2


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"folder": "a", "steps": 1, "state": {"epochs": 1}}'])
def test_another_file_is_named(whole: dict[str, Any], tmp_path: Path, content: str) -> None:
    (tmp_path / STATE_FILE).write_text(content)
    with pytest.raises(InputError, match=f"{STATE_FILE}: expected the state of a training|found no file"):
        FitCheckpoints(str(tmp_path), 2).restore(whole["make"][0])


def test_a_checkpoint_of_another_model_is_refused(whole: dict[str, Any], tmp_path: Path) -> None:
    checkpoints = FitCheckpoints(str(tmp_path), 2)
    train_model("make", "none", checkpoints=checkpoints)
    with pytest.raises(InputError, match="bytes of numbers"):
        checkpoints.restore(whole["ctr"][0])


def test_shuffled_passes_go_on_in_their_own_orders() -> None:
    def shuffled() -> tf.data.Dataset:
        return tf.data.Dataset.range(50).shuffle(50, seed=4, reshuffle_each_iteration=True).batch(5)

    data = shuffled()
    orders = [[list(batch) for batch in data.as_numpy_iterator()] for _ in range(3)]
    assert orders[0] != orders[1] != orders[2]
    rest, last = FitPasses.to_come(shuffled(), 3, FitState(epoch=1, batch=4), skip=None)
    assert (rest.epochs, rest.first_batch, last.epochs, last.first_batch) == (range(1, 2), 4, range(2, 3), 0)
    assert [list(batch) for batch in rest.batches.as_numpy_iterator()] == orders[1][4:]
    assert [list(batch) for batch in last.batches.as_numpy_iterator()] == orders[2]


def test_what_can_be_skipped_is_not_read() -> None:
    def skip(count: int) -> tf.data.Dataset:
        return tf.data.Dataset.range(count, 4)

    rest, last = FitPasses.to_come(tf.data.Dataset.range(4), 2, FitState(batch=3), skip)
    assert [int(value) for value in rest.batches] == [3]
    assert [int(value) for value in last.batches] == [0, 1, 2, 3]
