"""MakeTrainer over real records and embeddings."""

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from tfx import types
from tfx.types import standard_artifacts

from components import artifacts
from components.make_trainer.component import MakeTrainer
from components.make_trainer.executor import ENCODERS_FILE, Executor
from models.click_training import measure
from models.content.item_embeddings import ItemEmbeddings
from models.content.item_index import ItemIndex
from models.make import trainer
from models.make.config import MakeConfig
from models.make.model import MakeModel
from models.make.trainer import read_rows
from models.make.weights import load_weights
from transforms.configuration import to_json
from transforms.input_error import InputError

sys.path.append(str(Path(__file__).resolve().parents[3] / "support"))
from made_clicks import DIMS, MAX_BEHAVIORS, NUM_ITEMS, make_rows, make_vectors, write_embeddings, write_split

CONFIG = MakeConfig(attention_units=(4,), mlp_units=(6, 5), projection_dim=3, epochs=2, batch_size=32, seed=3)


def artifact(kind: type[types.Artifact], uri: Path) -> Any:
    made = kind()
    made.uri = str(uri)
    return made


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    rows = make_rows(160)
    write_split(folder / "examples", "train", rows[:110])
    write_split(folder / "examples", "eval", rows[110:])
    write_embeddings(folder / "embeddings", make_vectors())
    return folder


def run(
    inputs: Path,
    out: Path,
    embeddings: str = "embeddings",
    days: Sequence[str] = ("examples",),
    base: Path | None = None,
    settings: MakeConfig = CONFIG,
    checkpoints: Path | None = None,
) -> dict[str, Any]:
    """Runs the executor on the last of the days, after the others; the history."""
    examples = [artifact(standard_artifacts.Examples, inputs / day) for day in days]
    for day in examples:
        day.split_names = '["train", "eval"]'
    Executor().Do(
        {
            "examples": examples[-1:],
            "earlier_examples": examples[:-1],
            "base": [] if base is None else [artifact(artifacts.Make, base / "make")],
            "embeddings": [artifact(artifacts.Embeddings, inputs / embeddings)],
        },
        {
            "make": [artifact(artifacts.Make, out / "make")],
            "model_run": [artifact(standard_artifacts.ModelRun, out / "run")],
        },
        {"config": to_json(settings), "modalities": ",".join(DIMS), "max_behaviors": MAX_BEHAVIORS}
        | ({} if checkpoints is None else {"checkpoints": str(checkpoints)}),
    )
    return json.loads((out / "run" / "history.json").read_text())


def test_the_kept_weights_are_those_of_the_last_epoch(inputs: Path, tmp_path: Path) -> None:
    history = run(inputs, tmp_path)
    assert (history["model"], history["examples"]) == ("make", 2 * 110)
    assert [epoch["epoch"] for epoch in history["epochs"]] == [1, 2]
    losses = [epoch["loss"] for epoch in history["epochs"]]
    assert losses[1] < losses[0]
    # A model that begins elsewhere gives the last epoch's figures once it has these weights.
    embeddings = ItemEmbeddings.read(str(inputs / "embeddings"), tuple(DIMS))
    keras.utils.set_random_seed(99)
    model = MakeModel(embeddings.shapes, CONFIG)
    model.embeddings.assign(embeddings.vectors)
    load_weights(model.extractor, (tmp_path / "make" / "make.npz").read_bytes())
    index = ItemIndex(embeddings.item_ids, embeddings.rows, MAX_BEHAVIORS)
    found = measure(model, read_rows(str(inputs / "examples/Split-eval/*"), index, 32))
    last, first = history["epochs"][-1], history["epochs"][0]
    assert (found["auc"], found["logloss"]) == pytest.approx((last["auc"], last["logloss"]), abs=1e-6)
    assert found["logloss"] != pytest.approx(first["logloss"], abs=1e-6)


def test_a_second_training_gives_the_same_weights(inputs: Path, tmp_path: Path) -> None:
    for name in ("once", "again"):
        run(inputs, tmp_path / name)
    once, again = (np.load(tmp_path / name / "make" / "make.npz") for name in ("once", "again"))
    # 2 projections, 3 weights of attention's layers and 3 layers with kernel and bias are more than ten.
    assert len(once.files) > 10 and sorted(once.files) == sorted(again.files)
    for name in once.files:
        np.testing.assert_array_equal(once[name], again[name])


def test_a_killed_training_goes_on(inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = run(inputs, tmp_path / "whole")

    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    saving = dataclasses.replace(CONFIG, checkpoint_steps=3)
    folder = tmp_path / "checkpoints"
    with monkeypatch.context() as patched:
        # Four batches of the first pass are behind, a checkpoint after the third.
        patched.setattr(trainer, "measure", killed)
        with pytest.raises(KeyboardInterrupt):
            run(inputs, tmp_path / "killed", settings=saving, checkpoints=folder)
    (training,) = folder.iterdir()
    assert training.name.startswith("make-")
    assert sorted(path.name for path in training.iterdir()) == ["epoch-0000-batch-000000003", "state.json"]
    before = json.loads((training / "state.json").read_text())["state"]["curve"]
    history = run(inputs, tmp_path / "again", settings=saving, checkpoints=folder)
    # The same to the last bit of its time: this part was not done again.
    assert history["curve"][0] == before[0] and before[0]["step"] == 3
    for ours, theirs in zip(history["epochs"], expected["epochs"], strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4)
    weights = [np.load(tmp_path / name / "make" / "make.npz") for name in ("again", "whole")]
    for name in weights[0].files:
        np.testing.assert_allclose(weights[0][name], weights[1][name], rtol=1e-5, atol=1e-6)
    assert list(folder.iterdir()) == []


def test_earlier_days_come_first_in_their_order(inputs: Path, tmp_path: Path) -> None:
    rows = make_rows(160)
    # Their order is that of the days, not that of the names, and their eval splits are not looked at.
    for name, first, last in (("day-9", 0, 64), ("day-10", 64, 96), ("day-11", 96, 110)):
        write_split(inputs / name, "train", rows[first:last])
        write_split(inputs / name, "eval", rows[110:] if name == "day-11" else rows[:1])
    expected = run(inputs, tmp_path / "whole")
    got = run(inputs, tmp_path / "days", days=("day-9", "day-10", "day-11"))
    assert [epoch["logloss"] for epoch in got["epochs"]] == [epoch["logloss"] for epoch in expected["epochs"]]
    encoders = json.loads((tmp_path / "days" / "make" / ENCODERS_FILE).read_text())
    assert encoders == {"image": "image weights", "text": "text weights"}


def test_begins_with_the_weights_of_the_base(inputs: Path, tmp_path: Path) -> None:
    run(inputs, tmp_path / "first")
    # At this rate nothing moves: the weights are those that training began with.
    still = dataclasses.replace(CONFIG, learning_rate=1e-12, seed=4)
    run(inputs, tmp_path / "second", base=tmp_path / "first", settings=still)
    first, second = (np.load(tmp_path / name / "make" / "make.npz") for name in ("first", "second"))
    for name in first.files:
        np.testing.assert_allclose(second[name], first[name], atol=1e-7)
    wider = dataclasses.replace(CONFIG, projection_dim=4)
    with pytest.raises(InputError, match="the MAKE to go on from is of other sizes"):
        run(inputs, tmp_path / "third", base=tmp_path / "first", settings=wider)


def test_a_modality_without_any_embedding(inputs: Path, tmp_path: Path) -> None:
    write_embeddings(tmp_path / "none", make_vectors() | {"text": [None] * NUM_ITEMS})
    with pytest.raises(InputError, match="no item has an embedding of its text; leave text out of ctr.mod"):
        run(inputs, tmp_path, str(tmp_path / "none"))


def test_component_is_wired_by_type() -> None:
    examples = types.Channel(type=standard_artifacts.Examples)
    embeddings = types.Channel(type=artifacts.Embeddings)
    made = MakeTrainer(examples, embeddings, ("image", "text"), 50, CONFIG, checkpoints="/checkpoints")
    assert made.exec_properties == {
        "config": to_json(CONFIG),
        "modalities": "image,text",
        "max_behaviors": 50,
        "checkpoints": "/checkpoints",
    }
    assert {name: channel.type for name, channel in made.outputs.items()} == {
        "make": artifacts.Make,
        "model_run": standard_artifacts.ModelRun,
    }
    with pytest.raises(TypeError):
        MakeTrainer(embeddings, examples, ("image",), 50, CONFIG)
