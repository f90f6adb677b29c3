"""Contrastive training: it learns, ends early, goes on after a kill, and says what is wrong."""

import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import keras
import made_pairs
import numpy as np
import pytest
import tensorflow as tf

from models.encoder import trainer
from models.encoder.build import build_encoder
from models.encoder.checkpoints import Checkpoints
from models.encoder.config import EncoderConfig, ImageEncoderConfig, TextEncoderConfig
from models.encoder.scl_model import SclModel
from models.encoder.trainer import Schedule, make_optimizer, train_encoder, train_scl, training_input
from transforms.configuration import to_json
from transforms.input_error import InputError

REPOSITORY = Path(__file__).resolve().parents[4]

SMALL = {"embedding_dim": 8, "num_layers": 1, "num_heads": 2, "hidden_dim": 16, "mlp_dim": 16}
# 48 pairs in batches of 8: epochs of 6 steps, checkpoints each 4, so in the midst of epochs. 26 rows in the
# bank: no multiple of the batch.
TRAINING = {"batch_size": 8, "epochs": 4, "checkpoint_steps": 4, "queue_size": 26, "patience": 100}
IMAGE = ImageEncoderConfig(
    image_size=8, patch_size=4, augmentation=0.0, learning_rate=0.003, **SMALL, **TRAINING
)
TEXT = TextEncoderConfig(max_length=8, vocabulary_size=100, dropout=0.2, **SMALL, **TRAINING)

Files = dict[str, list[str]]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("pairs")
    return {
        "train": made_pairs.write_pairs(folder / "train", 48),
        "eval": made_pairs.write_pairs(folder / "eval", 20, seed=1),
    }


class KilledCheckpoints(Checkpoints):
    """Ends the training, as far as one process can, after the second checkpoint."""

    def save(self, model: keras.Model, state: dict[str, Any], is_best: bool) -> None:
        super().save(model, state, is_best)
        if state["round"] == 2:
            raise KeyboardInterrupt


class RememberingCheckpoints(Checkpoints):
    """Remembers at which steps it saved."""

    def __init__(self, folder: str) -> None:
        super().__init__(folder)
        self.steps: list[int] = []

    def save(self, model: keras.Model, state: dict[str, Any], is_best: bool) -> None:
        super().save(model, state, is_best)
        self.steps.append(state["step"])


def _state(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "state.json").read_text())


def _last_weights(folder: Path) -> dict[str, np.ndarray]:
    """All that the last checkpoint holds, the optimizer's state too, by path."""
    arrays = {}

    def add(path: str, node: h5py.Dataset | h5py.Group) -> None:
        if isinstance(node, h5py.Dataset):
            arrays[path] = node[()]

    with h5py.File(folder / _state(folder)["files"]["last"]) as stream:
        stream.visititems(add)
    return arrays


def _without_seconds(curve: list[dict]) -> list[dict]:
    return [{name: value for name, value in point.items() if name != "seconds"} for point in curve]


def _assert_same_end(history: dict, folder: Path, expected: dict, expected_folder: Path) -> None:
    assert history["steps"] == expected["steps"] == 24
    assert history["bank"] == expected["bank"] == {"size": 26, "filled": 26, "age_steps": 26 / 8}
    arrays, others = _last_weights(folder), _last_weights(expected_folder)
    assert arrays.keys() == others.keys()
    bank = [path for path in arrays if "bank" in path]
    assert len(bank) == 3
    # 24 steps of 8 keys in 26 rows: 192 = 7 * 26 + 10.
    assert 10 in [arrays[path] for path in bank if arrays[path].ndim == 0]
    for path, array in arrays.items():
        tolerance = 1e-4 if np.issubdtype(array.dtype, np.floating) else 0
        np.testing.assert_allclose(array, others[path], atol=tolerance, err_msg=path)
    curve, other = _without_seconds(history["curve"]), _without_seconds(expected["curve"])
    assert [point["step"] for point in curve] == [point["step"] for point in other]
    assert [point["examples"] for point in curve] == [point["examples"] for point in other]
    np.testing.assert_allclose(
        [point["loss"] for point in curve], [point["loss"] for point in other], atol=1e-3
    )
    assert [entry["step"] for entry in history["evaluations"]] == [4, 8, 12, 16, 20, 24]


def test_a_training_that_was_killed_ends_as_one_that_was_not(files: Files, tmp_path: Path) -> None:
    command = _command(files, tmp_path)
    killed = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in _seconds(120):
        if (tmp_path / "checkpoints" / "state.json").exists():
            break
        assert killed.poll() is None, "the training ended before its first checkpoint"
    killed.kill()
    assert killed.wait() == -9
    before = _state(tmp_path / "checkpoints")
    assert 4 <= before["step"] < 24

    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr[-3_000:]
    history = json.loads((tmp_path / "history.json").read_text())
    # What was done before the kill is not done again: its points keep their times.
    assert history["curve"][: len(before["curve"])] == before["curve"]

    expected_folder = tmp_path / "uninterrupted"
    _, expected = train_encoder(IMAGE, files["train"], files["eval"], Checkpoints(str(expected_folder)))
    _assert_same_end(history, tmp_path / "checkpoints", expected, expected_folder)


def _command(files: Files, folder: Path) -> list[str]:
    (folder / "config.json").write_text(to_json(IMAGE))
    script = REPOSITORY / "tests" / "support" / "train_scl.py"
    paths = [str(folder / name) for name in ("config.json", "checkpoints", "history.json")]
    return [sys.executable, str(script), *paths, "--train", *files["train"], "--eval", *files["eval"]]


def _seconds(limit: float) -> Iterator[None]:
    """Looks again and again, until the time is over."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        yield
        time.sleep(0.002)
    raise AssertionError(f"nothing came within {limit} seconds")


def test_dropout_goes_on_where_it_was_ended(files: Files, tmp_path: Path) -> None:
    # It draws the same numbers as it would have.
    folder, expected_folder = tmp_path / "ended", tmp_path / "uninterrupted"
    with pytest.raises(KeyboardInterrupt):
        train_encoder(TEXT, files["train"], files["eval"], KilledCheckpoints(str(folder)))
    assert _state(folder)["step"] == 8
    checkpoints = RememberingCheckpoints(str(folder))
    _, history = train_encoder(TEXT, files["train"], files["eval"], checkpoints)
    assert checkpoints.steps == [12, 16, 20, 24]
    _, expected = train_encoder(TEXT, files["train"], files["eval"], Checkpoints(str(expected_folder)))
    _assert_same_end(history, folder, expected, expected_folder)


def test_it_learns_to_find_what_was_bought(files: Files, tmp_path: Path) -> None:
    config = dataclasses.replace(IMAGE, epochs=20, checkpoint_steps=0, momentum=0.9, learning_rate=0.01)
    _, history = train_encoder(config, files["train"], files["eval"], Checkpoints(str(tmp_path / "c")))
    # Twelve items: one in twelve by chance.
    assert max(entry["acc@1"] for entry in history["evaluations"]) > 0.6
    assert history["curve"][-1]["loss"] < 0.7 * history["curve"][0]["loss"]
    assert (history["modality"], history["method"], history["pairs"]) == ("image", "scl", 48)
    assert 1 / 80 <= history["temperature"] < 1


def test_the_batches_after_a_resume_are_those_that_would_have_come(files: Files) -> None:
    encoder = build_encoder(IMAGE, files["train"])
    whole = list(training_input(files["train"], encoder, IMAGE).dataset().take(14))
    rest = list(training_input(files["train"], encoder, IMAGE).dataset(9).take(5))
    for batch, expected in zip(rest, whole[9:], strict=True):
        for name in expected:
            np.testing.assert_array_equal(batch[name], expected[name], err_msg=name)
    # Each pass brings each pair once, and no two passes have the same order.
    passes = [np.concatenate([batch["query"] for batch in whole[i : i + 6]]) for i in (0, 6)]
    assert len(np.unique(passes[0].reshape(48, -1), axis=0)) == 48
    assert not np.array_equal(*passes)


class Script:
    """A made-up course of Acc@1, one value a look; weights move at each step, so each look has its own."""

    def __init__(self, files: Files, folder: Path, accuracies: list[float], **changes: object) -> None:
        self.config = dataclasses.replace(IMAGE, **changes)
        self.encoder = build_encoder(self.config, files["train"])
        self.model = SclModel(self.encoder.encoder, 8, queue_size=26)
        self.checkpoints = Checkpoints(str(folder))
        self.accuracies = list(accuracies)
        self.looks: list[np.ndarray] = []
        self.files = files["train"]

    def measure(self) -> dict[str, float]:
        self.looks.append(self.model.log_scale.numpy())
        return {"acc@1": self.accuracies[len(self.looks) - 1], "acc@5": 1.0}

    def train(self) -> dict[str, Any]:
        return train_scl(
            self.model,
            training_input(self.files, self.encoder, self.config),
            Schedule(24, 4),
            self.config,
            self.checkpoints,
            self.measure,
        )


def test_it_ends_when_acc_1_gets_no_better_and_keeps_the_best(files: Files, tmp_path: Path) -> None:
    # The second look is the best; two more that do not beat it (a tie does not) end the training.
    script = Script(files, tmp_path / "c", [0.1, 0.5, 0.5, 0.4, 0.9, 0.9], patience=2)
    history = script.train()
    assert [entry["acc@1"] for entry in history["evaluations"]] == [0.1, 0.5, 0.5, 0.4]
    assert history["steps"] == 16
    assert len({float(value) for value in script.looks}) == 4
    assert script.model.log_scale.numpy() == script.looks[1]
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == [
        "state.json",
        "step-000000008.weights.h5",
        "step-000000016.weights.h5",
    ]


def test_an_ended_training_is_not_taken_up_again(files: Files, tmp_path: Path) -> None:
    first = Script(files, tmp_path / "c", [0.5, 0.4, 0.3], patience=1)
    expected = first.train()
    again = Script(files, tmp_path / "c", [], patience=1)
    assert again.train() == expected
    assert not again.looks
    for weight, other in zip(again.model.get_weights(), first.model.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, other)


def test_a_training_that_reached_its_last_step_is_not_taken_up_again(files: Files, tmp_path: Path) -> None:
    accuracies = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    expected = Script(files, tmp_path / "c", accuracies).train()
    again = Script(files, tmp_path / "c", [])
    assert again.train() == expected
    assert not again.looks


def test_workers_that_see_other_checkpoints_do_not_begin(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # This worker finds none; the chief says that it has one.
    monkeypatch.setattr(trainer, "hear_chief", lambda step, strategy: 8)
    with pytest.raises(InputError, match="got one of step 0 where the chief has one of step 8") as caught:
        train_encoder(IMAGE, files["train"], files["eval"], Checkpoints(str(tmp_path / "c")))
    assert "\n" not in str(caught.value)


def test_a_batch_has_a_pair_for_each_replica() -> None:
    trainer.check_batch_size(IMAGE, 8)
    with pytest.raises(
        InputError, match="image_encoder.batch_size must be at least 9, one for each replica, got 8"
    ):
        trainer.check_batch_size(IMAGE, 9)


def test_without_an_eval_split_the_last_weights_stay(files: Files, tmp_path: Path) -> None:
    _, history = train_encoder(IMAGE, files["train"], [], Checkpoints(str(tmp_path / "c")))
    assert (history["steps"], history["evaluations"]) == (24, [])


def test_a_loss_that_is_not_finite_stops_in_one_line(files: Files, tmp_path: Path) -> None:
    config = dataclasses.replace(IMAGE, learning_rate=1e30, global_clipnorm=None, warmup_fraction=0.0)
    with pytest.raises(InputError, match="loss must stay finite, got nan at step") as caught:
        train_encoder(config, files["train"], files["eval"], Checkpoints(str(tmp_path / "c")))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "config, wanted",
    [(IMAGE, "image_encoder: no search with a picture"), (TEXT, "text_encoder: no search with words")],
)
def test_nothing_to_learn_from(config: EncoderConfig, wanted: str, tmp_path: Path) -> None:
    for files in ([], made_pairs.write_pairs(tmp_path / "none", 0)):
        with pytest.raises(InputError, match=wanted) as caught:
            train_encoder(config, files, files, Checkpoints(str(tmp_path / "c")))
        assert "\n" not in str(caught.value)


def test_fewer_pairs_than_a_batch_are_enough(tmp_path: Path) -> None:
    # Three pairs, over and over: an epoch is one step.
    config = dataclasses.replace(IMAGE, checkpoint_steps=0)
    train = made_pairs.write_pairs(tmp_path / "few", 3)
    _, history = train_encoder(config, train, train, Checkpoints(str(tmp_path / "c")))
    assert (history["pairs"], history["steps"]) == (3, 4)


def test_the_backbone_as_it_comes_is_not_trained(files: Files, tmp_path: Path) -> None:
    config = dataclasses.replace(IMAGE, method="backbone")
    encoder, history = train_encoder(config, files["train"], files["eval"], Checkpoints(str(tmp_path / "c")))
    assert (history["steps"], history["curve"], history["bank"]) == (0, [], None)
    assert encoder.fingerprint() == build_encoder(config, files["train"]).fingerprint()
    assert not (tmp_path / "c").exists()


def test_tensorboard_logs(files: Files, tmp_path: Path) -> None:
    config = dataclasses.replace(IMAGE, epochs=1)
    checkpoints = Checkpoints(str(tmp_path / "c"))
    train_encoder(config, files["train"], files["eval"], checkpoints, str(tmp_path / "logs"))
    assert list((tmp_path / "logs").rglob("events.out.tfevents*"))


@pytest.mark.parametrize(
    "pairs, changes, steps, round_steps",
    [
        # 100 pairs in batches of 8 are 12.5, so 12 steps an epoch.
        (100, {"batch_size": 8, "epochs": 3, "checkpoint_steps": 0}, 36, 12),
        # 36 steps in whole rounds of 10.
        (100, {"batch_size": 8, "epochs": 3, "checkpoint_steps": 10}, 40, 10),
        # A round is no longer than the training.
        (100, {"batch_size": 8, "epochs": 3, "checkpoint_steps": 1_000}, 36, 36),
        (1, {"batch_size": 64, "epochs": 2, "checkpoint_steps": 0}, 2, 1),
    ],
)
def test_schedule(pairs: int, changes: dict[str, int], steps: int, round_steps: int) -> None:
    schedule = Schedule.of(pairs, dataclasses.replace(IMAGE, **changes))
    assert (schedule.steps, schedule.round_steps) == (steps, round_steps)


def test_learning_rate_rises_and_falls() -> None:
    # 100 steps, 20 of them up in a line to 0.4, then half a cosine down to 0: the middle of it at step 60.
    config = dataclasses.replace(IMAGE, learning_rate=0.4, warmup_fraction=0.2)
    optimizer = make_optimizer(config, Schedule(100, 10))
    rates = []
    for step in (0, 10, 20, 60, 100):
        optimizer.iterations.assign(step)
        rates.append(float(optimizer.learning_rate))
    np.testing.assert_allclose(rates, [0, 0.2, 0.4, 0.2, 0], atol=1e-6)


def test_vectors_do_not_decay(files: Files) -> None:
    encoder = build_encoder(IMAGE, files["train"])
    model = SclModel(encoder.encoder, 8, queue_size=26)
    config = dataclasses.replace(IMAGE, learning_rate=0.5, weight_decay=0.5, warmup_fraction=0.0)
    model.compile(optimizer=make_optimizer(config, Schedule(10, 10)), jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    before = [variable.numpy() for variable in model.trainable_variables]
    zeros = [tf.zeros(variable.shape) for variable in model.trainable_variables]
    model.optimizer.apply(zeros)
    # Nothing but decay moves anything: 1 - 0.5 * 0.5 of each matrix is left.
    for variable, old in zip(model.trainable_variables, before, strict=True):
        is_matrix = variable.path.endswith("kernel")
        np.testing.assert_allclose(
            variable.numpy(), old * (0.75 if is_matrix else 1), atol=1e-6, err_msg=variable.path
        )


def _model_of(value: float) -> keras.Model:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.set_weights([np.array([[value]])])
    model.compile(optimizer="adam")
    model.optimizer.build(model.trainable_variables)
    return model


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_checkpoints_keep_the_last_and_the_best(tmp_path: Path) -> None:
    checkpoints = Checkpoints(str(tmp_path / "c"))
    for step, is_best in ((1, True), (2, False), (3, True), (4, False), (5, False)):
        checkpoints.save(_model_of(step), {"step": step}, is_best)
    assert _names(tmp_path / "c") == ["state.json", "step-000000003.weights.h5", "step-000000005.weights.h5"]
    model = _model_of(0)
    assert checkpoints.restore(model)["step"] == 5
    assert model.get_weights()[0] == 5
    checkpoints.restore_best(model)
    assert model.get_weights()[0] == 3
    checkpoints.remove()
    assert not (tmp_path / "c").exists()
    assert checkpoints.restore(model) is None


@pytest.mark.parametrize("fatal", ["weights.h5", "state.json"])
def test_a_kill_while_a_checkpoint_is_written_leaves_the_one_before(
    fatal: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = Checkpoints(str(tmp_path / "c"))
    checkpoints.save(_model_of(1), {"step": 1}, True)
    rename = tf.io.gfile.rename

    def killed(source: str, target: str, overwrite: bool = False) -> None:
        if target.endswith(fatal):
            raise KeyboardInterrupt
        rename(source, target, overwrite)

    with monkeypatch.context() as patch:
        patch.setattr(tf.io.gfile, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            checkpoints.save(_model_of(2), {"step": 2}, True)
    model = _model_of(0)
    assert checkpoints.restore(model)["step"] == 1
    assert model.get_weights()[0] == 1
    # The same step comes again, and this time nothing happens to it.
    checkpoints.save(_model_of(2), {"step": 2}, True)
    assert checkpoints.restore(model)["step"] == 2
    assert _names(tmp_path / "c") == ["state.json", "step-000000002.weights.h5"]


def test_the_optimizer_goes_on_too(tmp_path: Path) -> None:
    examples = np.array([[1.0]]), np.array([[3.0]])

    def train(model: keras.Model, steps: int) -> None:
        for _ in range(steps):
            model.train_on_batch(*examples)

    def made() -> keras.Model:
        model = _model_of(0)
        model.compile(optimizer=keras.optimizers.Adam(0.1), loss="mse")
        return model

    whole, first, second = made(), made(), made()
    train(whole, 6)
    train(first, 3)
    checkpoints = Checkpoints(str(tmp_path / "c"))
    checkpoints.save(first, {"step": 3}, False)
    checkpoints.restore(second)
    train(second, 3)
    np.testing.assert_array_equal(second.get_weights(), whole.get_weights())
    assert int(second.optimizer.iterations.numpy()) == 6
    # None was called the best: the model stays as it is.
    checkpoints.restore_best(second)
    np.testing.assert_array_equal(second.get_weights(), whole.get_weights())
