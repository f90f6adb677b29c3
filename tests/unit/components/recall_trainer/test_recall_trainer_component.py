"""RecallTrainer over real records, a real transform, item_stats and embeddings."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from tfx import types
from tfx.types import standard_artifacts

from components import artifacts
from components.recall_trainer.component import RecallTrainer
from components.recall_trainer.executor import Executor
from components.recall_trainer.training import RecallSources, train_recall
from models.continuation.training_state import FOLDER, TrainingState
from models.recall.config import RecallConfig
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
    make_item,
    make_rows,
    make_vectors,
    write_embeddings,
    write_split,
    write_transform,
)

ROWS = make_rows(160)
TRAIN = ROWS[:110]
# The fewest are 0, so that i0 has none, i1 one, …, i29 29: they need not be the clicks of the examples.
STATS = {f"i{item}": item for item in range(NUM_ITEMS)}
SIZES: Mapping[str, Any] = {
    "embedding_dim": 4,
    "content_dim": 3,
    "user_units": (6,),
    "item_units": (5,),
    "reorder_units": (4,),
    "num_tiers": 5,
    "num_buckets": 4,
    "queue_size": 16,
    "batch_size": 16,
    "epochs": 2,
}


def config(fusion: str = "conditional_output", **values: Any) -> RecallConfig:
    modalities = () if fusion == "id" else tuple(DIMS)
    return RecallConfig(fusion, **{"modalities": modalities, **SIZES, **values})


def write_stats(folder: Path, clicks: Mapping[str, int]) -> None:
    folder.mkdir(parents=True)
    columns = {"item_id": list(clicks), "impressions": [9] * len(clicks), "clicks": list(clicks.values())}
    pq.write_table(pa.table(columns), folder / "item_stats-00000.parquet")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    write_split(folder / "examples", "train", TRAIN)
    write_split(folder / "examples", "eval", ROWS[110:140])
    write_split(folder / "examples", "test", ROWS[140:])
    write_transform(folder / "transform", TRAIN)
    write_stats(folder / "item_stats", STATS)
    write_embeddings(folder / "embeddings", make_vectors())
    return folder


def artifact(kind: type[types.Artifact], uri: Path) -> Any:
    made = kind()
    made.uri = str(uri)
    return made


def run(
    inputs: Path,
    out: Path,
    settings: RecallConfig,
    examples: Path | None = None,
    stats: Path | None = None,
    embeddings: Path | None = None,
    base: Path | None = None,
) -> dict[str, Any]:
    """Runs the executor; the history."""
    impressions = artifact(standard_artifacts.Examples, examples or inputs / "examples")
    impressions.split_names = '["train", "eval", "test"]'
    given = {
        "examples": [impressions],
        "transform_graph": [artifact(standard_artifacts.TransformGraph, inputs / "transform")],
        "item_stats": [artifact(artifacts.ItemStats, stats or inputs / "item_stats")],
    }
    if settings.uses_content:
        given["embeddings"] = [artifact(artifacts.Embeddings, embeddings or inputs / "embeddings")]
    if base is not None:
        given["base"] = [artifact(standard_artifacts.Model, base / "model")]
        given["earlier_stats"] = given["item_stats"]
    outputs = {
        "model": [artifact(standard_artifacts.Model, out / "model")],
        "model_run": [artifact(standard_artifacts.ModelRun, out / "run")],
    }
    properties = {"ingest": to_json(INGEST), "config": to_json(settings), "resumable": 1}
    Executor().Do(given, outputs, properties)
    return json.loads((out / "run" / "history.json").read_text())


def item_vectors(out: Path) -> np.ndarray:
    """Of the saved model."""
    signature = tf.saved_model.load(str(out / "model" / "Format-Serving")).signatures["item_vectors"]
    items: list[Row] = [make_item(item) for item in range(NUM_ITEMS)]
    columns: dict[str, tf.Tensor] = {}
    for name, spec in signature.structured_input_signature[1].items():
        if name.endswith("_embedding"):
            columns[name] = tf.zeros([NUM_ITEMS, spec.shape[1]])
        else:
            missing = float("nan") if name == "price" else ""
            columns[name] = tf.constant([(item[name] or [missing])[0] for item in items], spec.dtype)
    return signature(**columns)["item_vector"].numpy()


@pytest.fixture(scope="module")
def trained(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("trained")
    return out, run(inputs, out, config())


def test_history(trained: tuple[Path, dict[str, Any]]) -> None:
    history = trained[1]
    clicked = sum(row["clicked"][0] for row in TRAIN)
    # Clicked impressions of the training split alone, in two passes.
    assert (clicked, history["examples"]) == (55, 110)
    assert history["fusion"] == "conditional_output"
    assert [point["examples"] for point in history["curve"]][-1] == 110
    assert all(np.isfinite(point["loss"]) for point in history["curve"])


def test_the_exported_model_says_what_it_is_and_brings_its_warm_up(
    trained: tuple[Path, dict[str, Any]],
) -> None:
    folder = trained[0] / "model" / "Format-Serving"
    encoders = {"image": "image weights", "text": "text weights"}
    assert read_description(str(folder)) == {"model": "conditional_output", "encoders": encoders}
    model = SavedModel(folder)
    # Items one by one and many at once; a user without new items and with some.
    assert warm_up(model, folder) == 4
    model.close()


def test_gate_by_bucket_of_clicks(trained: tuple[Path, dict[str, Any]]) -> None:
    gate = trained[1]["gate"]
    # Four buckets: 0; 1; 2 and 3; 4 and more, up to 29.
    assert [(row["bucket"], row["clicks"], row["items"]) for row in gate] == [
        (0, 0, 1),
        (1, 1, 1),
        (2, 2, 2),
        (3, 4, 26),
    ]
    assert all(row["id"] > 0 and row["content"] > 0 for row in gate)
    # They were trained, each for itself: all began at 1.
    assert len({row["content"] for row in gate}) > 1 and gate[0]["content"] != 1


def test_the_gates_are_those_of_the_exported_model(trained: tuple[Path, dict[str, Any]]) -> None:
    lengths = np.linalg.norm(item_vectors(trained[0])[:, 4:], axis=1)
    # An item's content is of length 1 before its gate, or zeros: 0 has none of both.
    weights = [row["content"] for row in trained[1]["gate"]]
    bucket = [0, 1, 2, 2, *[3] * 26]
    expected = [0.0 if item == 0 else weights[bucket[item]] for item in range(NUM_ITEMS)]
    np.testing.assert_allclose(lengths, expected, atol=1e-4)


def sources(inputs: Path, **values: Any) -> RecallSources:
    places = {
        "train_examples": str(inputs / "examples/Split-train"),
        "transform_graph": str(inputs / "transform"),
        "item_stats": str(inputs / "item_stats"),
        "embeddings": str(inputs / "embeddings"),
        "ingest": INGEST,
    }
    return RecallSources(**{**places, **values})


def test_clicks_of_held_out_days_change_nothing(
    inputs: Path, trained: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    turned = [row | {"clicked": [1 - row["clicked"][0]]} for row in ROWS[110:]]
    write_split(tmp_path / "examples", "train", TRAIN)
    write_split(tmp_path / "examples", "eval", turned[:30])
    write_split(tmp_path / "examples", "test", turned[30:] * 5)
    history = run(inputs, tmp_path / "out", config(), examples=tmp_path / "examples")
    before, after = (
        [{name: row[name] for name in ("bucket", "clicks", "items")} for row in one["gate"]]
        for one in (trained[1], history)
    )
    assert after == before
    np.testing.assert_allclose(item_vectors(tmp_path / "out"), item_vectors(trained[0]), atol=1e-5)


def test_the_gates_read_item_stats_and_not_the_examples(
    inputs: Path, trained: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    # The examples are the same, and so are their clicks; of the statistics only i3 and i7 are left.
    write_stats(tmp_path / "stats", {"i3": 1, "i7": 2, "unknown": 3})
    history = run(inputs, tmp_path / "out", config(), stats=tmp_path / "stats")
    assert [(row["bucket"], row["items"]) for row in history["gate"]] == [(0, 0), (1, 1), (2, 2)]
    weights = {row["bucket"]: row["content"] for row in history["gate"]}
    lengths = np.linalg.norm(item_vectors(tmp_path / "out")[:, 4:], axis=1)
    expected = np.full(NUM_ITEMS, weights[0])
    expected[[0, 3, 7]] = 0, weights[1], weights[2]
    np.testing.assert_allclose(lengths, expected, atol=1e-4)


def test_one_weight_for_all_items(inputs: Path) -> None:
    _, history = train_recall(sources(inputs), config("output"))
    (row,) = history["gate"]
    assert (row["bucket"], row["clicks"], row["items"]) == (0, 0, NUM_ITEMS)


def test_a_model_of_ids_needs_no_embeddings(inputs: Path, tmp_path: Path) -> None:
    history = run(inputs, tmp_path, config("id"))
    assert (history["fusion"], history["examples"], history["gate"]) == ("id", 110, None)
    assert item_vectors(tmp_path).shape == (NUM_ITEMS, 4)


def test_one_modality_of_two(inputs: Path, tmp_path: Path) -> None:
    assert run(inputs, tmp_path, config("content", modalities=("text",)))["gate"] is None
    signatures = tf.saved_model.load(str(tmp_path / "model" / "Format-Serving")).signatures
    names = {name for one in signatures.values() for name in one.structured_input_signature[1]}
    assert {name for name in names if "embedding" in name} == {"text_embedding", "new_text_embedding"}


def test_a_modality_without_embeddings(inputs: Path, tmp_path: Path) -> None:
    write_embeddings(tmp_path / "none", make_vectors() | {"image": [None] * NUM_ITEMS})
    with pytest.raises(InputError, match="no item has an embedding of its image"):
        train_recall(sources(inputs, embeddings=str(tmp_path / "none")), config())


def test_training_days_without_a_click(inputs: Path, tmp_path: Path) -> None:
    write_split(tmp_path / "examples", "train", [row | {"clicked": [0]} for row in TRAIN])
    write_stats(tmp_path / "stats", dict.fromkeys(STATS, 0))
    module, history = train_recall(
        sources(
            inputs,
            train_examples=str(tmp_path / "examples/Split-train"),
            item_stats=str(tmp_path / "stats"),
        ),
        config("feature_conditional_output"),
    )
    assert (history["examples"], history["curve"]) == (0, [])
    assert [(row["bucket"], row["items"]) for row in history["gate"]] == [(0, NUM_ITEMS)]
    assert set(module.signatures()) == {"serving_default", "item_vectors", "reorder"}


def test_component_is_wired_by_type() -> None:
    channels = {
        "examples": types.Channel(type=standard_artifacts.Examples),
        "transform_graph": types.Channel(type=standard_artifacts.TransformGraph),
        "item_stats": types.Channel(type=artifacts.ItemStats),
    }
    alone = RecallTrainer(**channels, ingest=INGEST, config=config("id"))
    assert set(alone.inputs) == set(channels)
    assert set(alone.outputs) == {"model", "model_run"}
    whole = RecallTrainer(
        **channels, ingest=INGEST, config=config(), embeddings=types.Channel(type=artifacts.Embeddings)
    )
    assert set(whole.inputs) == {*channels, "embeddings"}
    assert whole.exec_properties["config"] == to_json(config())
    with pytest.raises(TypeError):
        RecallTrainer(**channels | {"item_stats": channels["examples"]}, ingest=INGEST, config=config("id"))


@pytest.mark.parametrize("encoder", ["weights", "new"])
def test_goes_on_from_the_base(
    trained: tuple[Path, dict[str, Any]], inputs: Path, tmp_path: Path, encoder: str
) -> None:
    write_embeddings(tmp_path / "embeddings", make_vectors(), encoder=encoder)
    # No step moves anything: what is found is where training began.
    settings = config(learning_rate=1e-12, table_learning_rate=1e-12)
    more = {"embeddings": tmp_path / "embeddings", "base": trained[0]}
    history = run(inputs, tmp_path / "second", settings, **more)
    assert history["examples"] == 55  # one pass
    fresh = tmp_path / "fresh"
    run(inputs, fresh, settings)
    known, second, new = (item_vectors(folder) for folder in (trained[0], tmp_path / "second", fresh))
    id_dim = SIZES["embedding_dim"]
    assert np.abs(known - new).max() > 0.01
    np.testing.assert_allclose(second[:, :id_dim], known[:, :id_dim], atol=1e-6)
    if encoder == "weights":
        np.testing.assert_allclose(second, known, atol=1e-6)
    else:
        # The vectors mean something else now: what read them begins anew, under the gates that were learned.
        found, begun = (vectors[:, id_dim:] for vectors in (second, new))
        has_content = np.linalg.norm(begun, axis=1) > 0
        directions = [
            part[has_content] / np.linalg.norm(part[has_content], axis=1)[:, None] for part in (found, begun)
        ]
        np.testing.assert_allclose(*directions, atol=1e-5)
    state = TrainingState.read(str(tmp_path / "second" / "model" / FOLDER))
    # 55 clicks in batches of 16 are four steps a pass: two of the base, one more.
    assert state.steps == 12
