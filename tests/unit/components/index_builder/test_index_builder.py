"""IndexBuilder over real vectors and a small exported model."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from tfx import types
from tfx.types import standard_artifacts

from components import artifacts
from components.index_builder.component import IndexBuilder
from components.index_builder.executor import Executor
from components.index_builder.measurement import measure_index
from components.recall_evaluator.recall_vectors import RecallVectors
from serving.retrieval.build_index import build_index
from serving.retrieval.config import IndexConfig
from serving.retrieval.scann_parameters import ScannParameters
from serving.retrieval.vector_index import VectorIndex
from transforms.configuration import to_json

ITEMS = [[1, 0], [0, 1], [3, 2], [2, 3], [-1, 5]]
# By user: c d a b e; e d c b a; c d e a b, where c and d have the same score.
USERS = [[1, 0], [0, 1], [1, 1]]
IDS = ["a", "b", "c", "d", "ä"]


def vectors(clicked: list[int] | None = None) -> RecallVectors:
    """The users clicked d, d and e."""
    clicked = [3, 3, 4] if clicked is None else clicked
    users = np.array(USERS, np.float32)[: len(clicked)]
    return RecallVectors(pa.array(IDS), np.array(ITEMS, np.float32), users, np.array(clicked, np.int64))


def many(items: int, users: int, dim: int = 16) -> RecallVectors:
    rng = np.random.default_rng(2)
    found = rng.standard_normal((items, dim), np.float32), rng.standard_normal((users, dim), np.float32)
    ids = pa.array([f"i{number}" for number in range(items)])
    return RecallVectors(ids, *found, rng.integers(0, items, users))


class Forgetful:
    """An index that never finds one of the items, and says it was built in two seconds."""

    def __init__(self, own: RecallVectors, forgotten: int) -> None:
        self._index = build_index(own.item_ids.to_pylist(), own.items, "v7", IndexConfig())
        self.description = self._index.description
        self._blocked = np.arange(len(own.items)) == forgotten

    def search_places(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        return self._index.search_places(queries, k, blocked=self._blocked)


def test_figures_by_hand() -> None:
    # Without "c" users get d a, e d, d e instead of c d, e d, c d.
    figures = measure_index(Forgetful(vectors(), 2), vectors(), [1, 2])
    assert (figures["search"], figures["version"]) == ("exact", "v7")
    # At 1 the first user gets a worse item; the third one's "d" is as good as "c". At 2 the first has one of two,
    # the second both, the third "d" and in the place of "c" or "d" a worse one.
    assert figures["index_recall"] == pytest.approx({"1": 2 / 3, "2": 4 / 6})
    # Exactly: d is second, second and e third. Without "c": first, second and e second.
    assert figures["click_recall"]["exact"] == pytest.approx({"1": 0.0, "2": 2 / 3})
    assert figures["click_recall"]["index"] == pytest.approx({"1": 1 / 3, "2": 1.0})


def test_an_exact_index_finds_all_also_beyond_the_catalog() -> None:
    index = build_index(IDS, np.array(ITEMS, np.float32), "v", IndexConfig())
    figures = measure_index(index, vectors(), [2, 100])
    assert figures["index_recall"] == {"2": 1.0, "100": 1.0}
    assert figures["click_recall"]["exact"] == figures["click_recall"]["index"]
    assert figures["click_recall"]["index"]["100"] == 1.0


def test_no_clicks_to_ask_for() -> None:
    figures = measure_index(Forgetful(vectors([]), 2), vectors([]), [1, 2])
    assert figures["index_recall"] == {"1": None, "2": None}
    assert figures["click_recall"] == {"exact": {"1": None, "2": None}, "index": {"1": None, "2": None}}


def test_clicks_in_several_parts_count_alike() -> None:
    # 1,024 are searched at once; the last part has 76.
    own = many(200, 1_100)
    figures = measure_index(Forgetful(own, 0), own, [10])
    order = np.argsort(-(own.users @ own.items.T), axis=1)
    exact = (order[:, :10] == own.clicked[:, None]).any(axis=1).mean()
    without = np.array([row[row != 0][:10] for row in order])
    assert figures["click_recall"]["exact"]["10"] == pytest.approx(exact)
    assert figures["click_recall"]["index"]["10"] == pytest.approx(
        (without == own.clicked[:, None]).any(axis=1).mean()
    )
    # A user with item 0 among the ten best gets nine of them.
    lacks = (order[:, :10] == 0).any(axis=1)
    assert figures["index_recall"]["10"] == pytest.approx(1 - 0.1 * lacks.mean())
    assert 0 < lacks.mean() < 0.5


class Doubled(tf.Module):
    """Stands for the model."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def double(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": 2 * x}


def artifact(kind: type[types.Artifact], uri: Path) -> Any:
    made = kind()
    made.uri = str(uri)
    return made


class Bench:
    """Makes the inputs below one folder and runs the executor over them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        module = Doubled()
        tf.saved_model.save(module, str(folder / "model" / "Format-Serving"), signatures=module.double)
        self.blessing: Any = None
        self.serving = folder / "indexed" / "Format-Serving"

    def run(
        self, own: RecallVectors, blessed: bool = True, k: int = 2, num_retrieved: int = 4, **config: Any
    ) -> dict[str, Any]:
        own.write(str(self.folder / "vectors"))
        given = artifact(standard_artifacts.ModelBlessing, self.folder / "model_blessing")
        given.set_int_custom_property("blessed", int(blessed))
        self.blessing = artifact(standard_artifacts.ModelBlessing, self.folder / "blessing")
        model = artifact(standard_artifacts.Model, self.folder / "model")
        model.id = 9
        Executor().Do(
            {
                "vectors": [artifact(artifacts.RecallVectors, self.folder / "vectors")],
                "model": [model],
                "model_blessing": [given],
            },
            {
                "indexed_model": [artifact(standard_artifacts.Model, self.folder / "indexed")],
                "evaluation": [artifact(standard_artifacts.ModelEvaluation, self.folder / "evaluation")],
                "blessing": [self.blessing],
            },
            {"config": to_json(IndexConfig(**config)), "k": k, "num_retrieved": num_retrieved},
        )
        return json.loads((self.folder / "evaluation" / "metrics.json").read_text())

    def verdict(self) -> tuple[list[str], int]:
        files = sorted(path.name for path in Path(self.blessing.uri).iterdir())
        return files, self.blessing.get_int_custom_property("blessed")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_blessed_model_is_copied_with_its_index(bench: Bench) -> None:
    figures = bench.run(vectors())
    assert figures["items"] == 5 and figures["search"] == "exact"
    assert figures["index_recall"] == {"2": 1.0, "4": 1.0}
    assert figures["click_recall"]["index"] == pytest.approx({"2": 2 / 3, "4": 1.0})
    assert figures["validation"] == {"ok": True, "reasons": []}
    assert bench.verdict() == (["BLESSED"], 1)
    # Of the trained model: the next run finds it as the last one that was fit to be pushed.
    assert bench.blessing.get_int_custom_property("current_model_id") == 9
    assert bench.blessing.get_string_custom_property("current_model") == str(bench.folder / "model")
    # Where a server looks for both.
    saved = tf.saved_model.load(str(bench.serving))
    assert saved.signatures["serving_default"](x=tf.constant([1.5]))["y"].numpy().tolist() == [3.0]
    index = VectorIndex.load(bench.serving / "assets.extra" / "index")
    assert index.search(np.array(USERS, np.float32), 2)[0] == [["c", "d"], ["ä", "d"], ["c", "d"]]
    assert index.description.version == figures["version"]
    assert not (bench.folder / "model" / "Format-Serving" / "assets.extra").exists()


def test_nothing_is_built_for_a_model_that_was_not_blessed(bench: Bench) -> None:
    figures = bench.run(vectors(), blessed=False)
    reason = "the model was not blessed, so that no index was built"
    assert figures == {"items": 5, "validation": {"ok": False, "reasons": [reason]}}
    assert bench.verdict() == (["NOT_BLESSED"], 0)
    assert not bench.serving.exists()


def test_an_index_that_finds_too_little_is_not_blessed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    # Codes of eight numbers a block, and nothing looked at again, tell few of the items apart.
    coarse = ScannParameters(
        num_leaves=20,
        training_sample_size=3_000,
        dimensions_per_block=8,
        anisotropic_threshold=0.2,
        leaf_factor=20.0,
        reorder_factor=1.0,
        min_k=1,
    )
    monkeypatch.setattr("serving.retrieval.build_index.choose_parameters", lambda *sizes: coarse)
    monkeypatch.setattr("serving.retrieval.scann_parameters.MAX_REORDER_FACTOR", 1.0)
    own = many(3_000, 200)
    figures = bench.run(own, k=50, num_retrieved=100, exact_below=0, recall_at=10, min_recall=0.99)
    (reason,) = figures["validation"]["reasons"]
    assert reason.startswith("expected the index to find 0.99 of the top 10 items (min_recall), got 0.")
    assert figures["validation"]["ok"] is False and "index_recall" not in figures
    assert bench.verdict() == (["NOT_BLESSED"], 0)
    assert not bench.serving.exists()


def test_scann_over_more_items(bench: Bench) -> None:
    own = many(3_000, 100)
    figures = bench.run(own, k=10, num_retrieved=100, exact_below=0, recall_at=100)
    assert figures["search"] == "scann" and figures["index_recall"]["10"] > 0.9
    index = VectorIndex.load(bench.serving / "assets.extra" / "index")
    found = index.search(own.users, 10)[0]
    exact = np.argsort(-(own.users @ own.items.T), axis=1)[:, :10]
    shared = np.mean(
        [len(set(row) & {f"i{place}" for place in best}) for row, best in zip(found, exact, strict=True)]
    )
    assert shared / 10 == pytest.approx(figures["index_recall"]["10"], abs=0.02)


@pytest.mark.parametrize("k", [2, 4])
def test_without_clicks_the_index_is_built_and_blessed(bench: Bench, k: int) -> None:
    figures = bench.run(vectors([]), k=k, num_retrieved=4)
    assert figures["validation"]["ok"] and figures["index_recall"] == dict.fromkeys({str(k), "4"})
    assert len(VectorIndex.load(bench.serving / "assets.extra" / "index")) == 5


def test_scann_without_clicks_is_measured_with_items(bench: Bench) -> None:
    own = many(3_000, 0)
    figures = bench.run(own, exact_below=0, recall_at=10)
    assert figures["validation"]["ok"] and figures["search"] == "scann"


def test_the_version_is_that_of_items_and_vectors(tmp_path: Path) -> None:
    def version(number: int, own: RecallVectors) -> str:
        (tmp_path / str(number)).mkdir()
        return Bench(tmp_path / str(number)).run(own)["version"]

    own = vectors()
    moved = RecallVectors(own.item_ids, own.items + np.float32(0.001), own.users, own.clicked)
    renamed = RecallVectors(pa.array([*IDS[:-1], "f"]), own.items, own.users, own.clicked)
    # Who clicked what says nothing of the items.
    found = [version(n, one) for n, one in enumerate((own, vectors([0]), moved, renamed))]
    assert found[0] == found[1] and len(set(found)) == 3


def test_component_is_wired_by_type() -> None:
    channels = {
        "vectors": types.Channel(type=artifacts.RecallVectors),
        "model": types.Channel(type=standard_artifacts.Model),
        "model_blessing": types.Channel(type=standard_artifacts.ModelBlessing),
    }
    component = IndexBuilder(**channels, config=IndexConfig(), k=5, num_retrieved=7)
    assert set(component.inputs) == set(channels)
    assert {name: channel.type for name, channel in component.outputs.items()} == {
        "indexed_model": standard_artifacts.Model,
        "evaluation": standard_artifacts.ModelEvaluation,
        "blessing": standard_artifacts.ModelBlessing,
    }
    assert (component.exec_properties["k"], component.exec_properties["num_retrieved"]) == (5, 7)
    with pytest.raises(TypeError):
        IndexBuilder(**channels | {"vectors": channels["model"]}, config=IndexConfig(), k=5, num_retrieved=7)
