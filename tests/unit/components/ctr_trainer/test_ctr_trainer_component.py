"""CtrTrainer over real records, a real transform, embeddings and a trained MAKE."""

import dataclasses
import io
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tfx import types
from tfx.types import standard_artifacts

from components import artifacts
from components.ctr_trainer.component import CtrTrainer
from components.ctr_trainer.executor import Executor
from components.make_trainer.executor import ENCODERS_FILE, WEIGHTS_FILE
from models.content.item_embeddings import ItemEmbeddings
from models.continuation.training_state import FOLDER, TrainingState
from models.ctr.config import CtrConfig
from models.make.config import MakeConfig
from models.make.model import MakeModel
from models.make.weights import dump_weights
from serving.model_description import read_description
from serving.model_server.saved_model import SavedModel
from serving.model_server.warm_up import warm_up
from transforms.configuration import to_json
from transforms.input_error import InputError

sys.path.append(str(Path(__file__).resolve().parents[3] / "support"))
from made_clicks import (
    DIMS,
    INGEST,
    NUM_ITEMS,
    Row,
    make_rows,
    make_vectors,
    serialize,
    write_embeddings,
    write_split,
    write_transform,
)

MAKE = MakeConfig(attention_units=(4,), mlp_units=(6,), projection_dim=3)


def config(integration: str, **values: Any) -> CtrConfig:
    sizes = {"num_tiers": 5, "embedding_dim": 4, "attention_units": (6,), "mlp_units": (8,), "batch_size": 32}
    return CtrConfig(integration, **{"modalities": tuple(DIMS)} | sizes | values)


def artifact(kind: type[types.Artifact], uri: Path) -> Any:
    made = kind()
    made.uri = str(uri)
    return made


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return make_rows(160)


@pytest.fixture(scope="module")
def inputs(rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    write_split(folder / "examples", "train", rows[:110])
    write_split(folder / "examples", "eval", rows[110:])
    write_transform(folder / "transform", rows[:110])
    write_embeddings(folder / "embeddings", make_vectors())
    embeddings = ItemEmbeddings.read(str(folder / "embeddings"), tuple(DIMS))
    extractor = MakeModel(embeddings.shapes, MAKE).extractor
    rng = np.random.default_rng(4)
    extractor.set_weights([rng.normal(size=weight.shape) * 0.3 for weight in extractor.get_weights()])
    (folder / "make").mkdir()
    (folder / "make" / WEIGHTS_FILE).write_bytes(dump_weights(extractor))
    return folder


def run(
    inputs: Path,
    out: Path,
    settings: CtrConfig,
    embeddings: str = "embeddings",
    make: bool = True,
    examples_folder: Path | None = None,
    base: Path | None = None,
    resumable: bool = False,
) -> dict[str, Any]:
    """Runs the executor; the history."""
    examples = artifact(standard_artifacts.Examples, examples_folder or inputs / "examples")
    examples.split_names = '["train", "eval"]'
    given = {
        "examples": [examples],
        "transform_graph": [artifact(standard_artifacts.TransformGraph, inputs / "transform")],
    }
    if settings.uses_content:
        given["embeddings"] = [artifact(artifacts.Embeddings, inputs / embeddings)]
    if settings.uses_make and make:
        given["make"] = [artifact(artifacts.Make, inputs / "make")]
    if base is not None:
        given["base"] = [artifact(standard_artifacts.Model, base / "model")]
    outputs = {
        "model": [artifact(standard_artifacts.Model, out / "model")],
        "model_run": [artifact(standard_artifacts.ModelRun, out / "run")],
    }
    sizes = MAKE if make else dataclasses.replace(MAKE, epochs=0)
    properties = {"ingest": to_json(INGEST), "config": to_json(settings), "make_config": to_json(sizes)}
    properties |= {"resumable": 1} if resumable else {}
    Executor().Do(given, outputs, properties)
    return json.loads((out / "run" / "history.json").read_text())


def saved_variables(out: Path) -> list[np.ndarray]:
    """The values of all variables in the exported model."""
    checkpoint = tf.train.load_checkpoint(str(out / "model" / "Format-Serving" / "variables" / "variables"))
    names = [name for name in checkpoint.get_variable_to_shape_map() if name.startswith("_model_variables")]
    return [checkpoint.get_tensor(name) for name in names]


def kept_of_make(inputs: Path, out: Path) -> int:
    """How many of MAKE's arrays are in the exported model, to the bit."""
    saved = saved_variables(out)
    with np.load(io.BytesIO((inputs / "make" / WEIGHTS_FILE).read_bytes())) as arrays:
        return sum(any(np.array_equal(arrays[name], value) for value in saved) for name in arrays.files)


def count_of_make(inputs: Path) -> int:
    with np.load(inputs / "make" / WEIGHTS_FILE) as arrays:
        return len(arrays.files)


def test_a_frozen_make_is_that_of_its_own_training_to_the_bit(inputs: Path, tmp_path: Path) -> None:
    history = run(inputs, tmp_path, config("simtier_make", epochs=2))
    assert (history["model"], history["examples"]) == ("simtier_make", 2 * 110)
    assert set(history["eval"]) == {"auc", "logloss"}
    assert kept_of_make(inputs, tmp_path) == count_of_make(inputs) > 5


def test_a_make_that_goes_on_training_begins_there(inputs: Path, tmp_path: Path) -> None:
    # So small a rate that Adam's first steps, each about as large as it, move every weight by 1e-5 at most.
    settings = config("make", train_make=True, learning_rate=1e-6)
    run(inputs, tmp_path, settings)
    assert kept_of_make(inputs, tmp_path) < count_of_make(inputs)
    saved = saved_variables(tmp_path)
    with np.load(inputs / "make" / WEIGHTS_FILE) as arrays:
        for name in arrays.files:
            same_shape = [value for value in saved if value.shape == arrays[name].shape]
            assert min(np.abs(value - arrays[name]).max() for value in same_shape) < 2e-5


def test_make_without_a_training_of_its_own_begins_by_chance(inputs: Path, tmp_path: Path) -> None:
    run(inputs, tmp_path, config("make"), make=False)
    assert kept_of_make(inputs, tmp_path) == 0


def test_the_exported_model_serves_with_embeddings(inputs: Path, rows: list[Row], tmp_path: Path) -> None:
    history = run(inputs, tmp_path, config("simtier", modalities=("image",)))
    serve = tf.saved_model.load(str(tmp_path / "model" / "Format-Serving"))
    examples = tf.constant([serialize(row) for row in rows[110:]])
    probabilities = serve.signatures["serving_default"](examples=examples)["probabilities"].numpy()
    # What it serves of the eval split is what the training measured there.
    clicked = np.array([row["clicked"][0] for row in rows[110:]])
    by_hand = -np.mean(clicked * np.log(probabilities) + (1 - clicked) * np.log(1 - probabilities))
    assert history["eval"]["logloss"] == pytest.approx(by_hand, abs=1e-5)
    inputs_of = serve.signatures["score_candidates"].structured_input_signature[1]
    assert {name for name in inputs_of if "embedding" in name} == {
        "image_embedding",
        "behavior_image_embedding",
    }


def test_the_exported_model_says_what_it_is_and_brings_its_warm_up(inputs: Path, tmp_path: Path) -> None:
    run(inputs, tmp_path, config("simtier", modalities=("image",)))
    folder = tmp_path / "model" / "Format-Serving"
    # The text encoder's embeddings lie beside the others, and it has not read them.
    encoders = {"image": "image weights"}
    assert read_description(str(folder)) == {"model": "simtier", "num_tiers": 5, "encoders": encoders}
    model = SavedModel(folder)
    assert warm_up(model, folder) == 1
    model.close()


def write_days(folder: Path, rows: list[Row]) -> None:
    """Two days of two batches each, and both as one; the eval split is the same."""
    for name, train in (("first", rows[:64]), ("second", rows[64:128]), ("both", rows[:128])):
        write_split(folder / name, "train", train)
        write_split(folder / name, "eval", rows[128:])


def test_one_day_after_another_is_as_both_at_once(inputs: Path, rows: list[Row], tmp_path: Path) -> None:
    write_days(tmp_path / "days", rows)
    settings = config("simtier_make", train_make=True)

    def train(name: str, **more: Any) -> dict[str, Any]:
        return run(inputs, tmp_path / name, settings, examples_folder=tmp_path / "days" / name, **more)

    at_once = train("both")
    train("first", resumable=True)
    # Every day is one pass, however many passes the first day takes.
    settings = dataclasses.replace(settings, epochs=3)
    second = train("second", base=tmp_path / "first", resumable=True)
    assert second["examples"] == 64
    assert second["eval"]["logloss"] == pytest.approx(at_once["eval"]["logloss"], abs=1e-6)
    expected, got = (sorted(saved_variables(tmp_path / name), key=str) for name in ("both", "second"))
    for one, other in zip(expected, got, strict=True):
        np.testing.assert_allclose(other, one, atol=1e-6)
    # A run that does not go on keeps nothing.
    assert not (tmp_path / "both" / "model" / FOLDER).exists()
    state = TrainingState.read(str(tmp_path / "second" / "model" / FOLDER))
    assert (state.steps, state.encoders) == (4, {"image": "image weights", "text": "text weights"})


@pytest.mark.parametrize("train_make", [False, True])
def test_new_encoders_bring_a_make_of_their_own(
    inputs: Path, rows: list[Row], tmp_path: Path, train_make: bool
) -> None:
    write_days(tmp_path / "days", rows)
    # A rate at which no weight moves by more than a millionth in two steps, and none is rounded back.
    settings = config("simtier_make", train_make=train_make, learning_rate=1e-9)
    days = tmp_path / "days"
    run(inputs, tmp_path / "first", settings, examples_folder=days / "first", resumable=True)
    given = tmp_path / "given"
    shutil.copytree(inputs / "transform", given / "transform")
    write_embeddings(given / "embeddings", make_vectors(), encoder="new")
    (given / "make").mkdir()
    with np.load(inputs / "make" / WEIGHTS_FILE) as arrays:
        new_make = {name: 1 + arrays[name] for name in arrays.files}
    with (given / "make" / WEIGHTS_FILE).open("wb") as stream:
        np.savez(stream, **new_make)

    def run_second(encoder: str) -> None:
        encoders = {modality: f"{modality} {encoder}" for modality in DIMS}
        (given / "make" / ENCODERS_FILE).write_text(json.dumps(encoders))
        more = {"examples_folder": days / "second", "base": tmp_path / "first"}
        run(given, tmp_path / "second", settings, **more)

    with pytest.raises(
        InputError, match="MAKE was trained with embeddings of the encoders image image weights"
    ):
        run_second("weights")
    run_second("new")
    saved = saved_variables(tmp_path / "second")
    for weight in new_make.values():
        same_shape = [value for value in saved if value.shape == weight.shape]
        assert min(np.abs(value - weight).max() for value in same_shape) < 1e-6
    description = read_description(str(tmp_path / "second" / "model" / "Format-Serving"))
    assert description["encoders"] == {"image": "image new", "text": "text new"}


def test_a_base_that_kept_nothing(inputs: Path, tmp_path: Path) -> None:
    settings = config("id", modalities=())
    run(inputs, tmp_path / "first", settings)
    with pytest.raises(InputError, match="expected the state of a training to go on from, found none"):
        run(inputs, tmp_path / "second", settings, base=tmp_path / "first")


def test_a_model_of_ids_needs_no_embeddings(inputs: Path, tmp_path: Path) -> None:
    history = run(inputs, tmp_path, config("id", modalities=()))
    assert history["model"] == "id"
    folder = tmp_path / "model" / "Format-Serving"
    assert (folder / "saved_model.pb").is_file()
    assert read_description(str(folder)) == {"model": "id", "num_tiers": 5, "encoders": {}}


def test_a_modality_without_embeddings(inputs: Path, tmp_path: Path) -> None:
    write_embeddings(tmp_path / "none", make_vectors() | {"image": [None] * NUM_ITEMS})
    with pytest.raises(InputError, match="no item has an embedding of its image; leave image out of ctr.mod"):
        run(inputs, tmp_path, config("simtier"), str(tmp_path / "none"))


def test_component_is_wired_by_type() -> None:
    examples = types.Channel(type=standard_artifacts.Examples)
    graph = types.Channel(type=standard_artifacts.TransformGraph)
    alone = CtrTrainer(examples, graph, INGEST, config("id"))
    assert set(alone.inputs) == {"examples", "transform_graph"}
    assert set(alone.outputs) == {"model", "model_run"}
    whole = CtrTrainer(
        examples,
        graph,
        INGEST,
        config("make"),
        embeddings=types.Channel(type=artifacts.Embeddings),
        make=types.Channel(type=artifacts.Make),
        make_config=MAKE,
    )
    assert set(whole.inputs) == {"examples", "transform_graph", "embeddings", "make"}
    assert whole.exec_properties["make_config"] == to_json(MAKE)
    with pytest.raises(TypeError):
        CtrTrainer(examples, graph, INGEST, config("make"), make=graph)
