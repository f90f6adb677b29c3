"""RecallEvaluator over real records, a catalog and exported models whose vectors are looked up."""

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from tfx import types
from tfx.types import standard_artifacts
from tfx.utils import json_utils

from components import artifacts
from components.recall_evaluator.component import RecallEvaluator
from components.recall_evaluator.config import RecallEvaluatorConfig
from components.recall_evaluator.executor import Executor
from components.recall_evaluator.recall_vectors import RecallVectors
from transforms.configuration import to_json
from transforms.input_error import InputError

sys.path.append(str(Path(__file__).resolve().parents[3] / "support"))
from made_clicks import make_row, write_split

# Items by their angle, users by theirs: whoever is nearer by angle is the better.
ANGLES = {"i0": 0, "i1": 30, "i2": 60, "i3": 90, "i4": 120}
CLICKS = {"i0": 6, "i1": 3, "i2": 1}
# "i3" was shown without a click, "i4" never.
SHOWN = [*CLICKS, "i3"]
# u1 is at 0 degrees, u2 at 65, u3 at 110. The impressions' items follow from their numbers.
USERS = {"u1": 0, "u2": 65, "u3": 110}
ASKED = [
    ("u1", 0, True),  # i0, first
    ("u1", 2, True),  # i2, third
    ("u2", 1, False),
    ("u2", 3, True),  # i3: 60 is 5 away, 90 is 25 away: second
    ("u3", 4, True),  # i4: first
    ("u3", 9, True),  # the catalog lacks i9
]


class Circle(tf.Module):
    """Vectors on the circle, of users and items by their ids; unknown ones are zeros."""

    def __init__(self, items: Mapping[str, float], users: Mapping[str, float]) -> None:
        super().__init__()
        self._items, self._users = _table(items), _table(users)

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, name="user_id"),
            tf.TensorSpec([None, None], tf.string, name="behavior_item_id"),
        ]
    )
    def users(self, user_id: tf.Tensor, behavior_item_id: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"user_vector": _at(self._users.lookup(user_id))}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, name="item_id"),
            tf.TensorSpec([None], tf.float32, name="price"),
        ]
    )
    def items(self, item_id: tf.Tensor, price: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"item_vector": _at(self._items.lookup(item_id))}


def _table(angles: Mapping[str, float]) -> tf.lookup.StaticHashTable:
    values = [math.radians(angle) for angle in angles.values()]
    initializer = tf.lookup.KeyValueTensorInitializer(list(angles), values, tf.string, tf.float32)
    return tf.lookup.StaticHashTable(initializer, float("nan"))


def _at(angles: tf.Tensor) -> tf.Tensor:
    vectors = tf.stack([tf.cos(angles), tf.sin(angles)], axis=1)
    return tf.where(tf.math.is_nan(vectors), 0.0, vectors)


def artifact(kind: type[types.Artifact], uri: Path) -> Any:
    made = kind()
    made.uri = str(uri)
    return made


class Bench:
    """Makes the inputs below one folder and runs the executor over them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "catalog").mkdir()
        (folder / "item_stats").mkdir()
        self.write_catalog(list(ANGLES))
        columns = {
            "item_id": SHOWN,
            "impressions": [9] * 4,
            "clicks": [CLICKS.get(item, 0) for item in SHOWN],
        }
        pq.write_table(pa.table(columns), folder / "item_stats" / "item_stats-00000.parquet")
        self.blessing: Any = None

    def write_catalog(self, items: list[str]) -> None:
        prices = pa.array([None] * len(items), pa.float64())
        table = pa.table({"item_id": pa.array(items, pa.string()), "price": prices})
        pq.write_table(table, self.folder / "catalog" / "catalog-00000.parquet")

    def write_examples(self, asked: Sequence[tuple[str, int, bool]], split: str = "test") -> None:
        rows = [
            make_row(1, []) | {"item_id": [f"i{item}"], "user_id": [user], "clicked": [int(clicked)]}
            for user, item, clicked in asked
        ]
        write_split(self.folder / "examples", split, rows)

    def save(
        self, number: int, users: Mapping[str, float] = USERS, items: Mapping[str, float] = ANGLES
    ) -> standard_artifacts.Model:
        circle, uri = Circle(items, users), self.folder / f"model-{number}"
        signatures = {"serving_default": circle.users, "item_vectors": circle.items}
        tf.saved_model.save(circle, str(uri / "Format-Serving"), signatures=signatures)
        made = artifact(standard_artifacts.Model, uri)
        made.id = number
        return made

    def run(
        self,
        model: types.Artifact,
        last_blessed: Sequence[types.Artifact] = (),
        splits: Sequence[str] = ("test",),
        **config: Any,
    ) -> dict[str, Any]:
        examples = artifact(standard_artifacts.Examples, self.folder / "examples")
        examples.split_names = json.dumps(["eval", "test"])
        self.blessing = artifact(standard_artifacts.ModelBlessing, self.folder / f"blessing-{model.id}")
        settings = {"k": 2, "ks": (1,), "num_retrieved": 5, "max_random_cosine": 1.0}
        Executor().Do(
            {
                "examples": [examples],
                "catalog": [artifact(artifacts.Catalog, self.folder / "catalog")],
                "item_stats": [artifact(artifacts.ItemStats, self.folder / "item_stats")],
                "model": [model],
                "last_blessed": list(last_blessed),
            },
            {
                "evaluation": [artifact(standard_artifacts.ModelEvaluation, self.folder / "evaluation")],
                "vectors": [artifact(artifacts.RecallVectors, self.folder / "vectors")],
                "blessing": [self.blessing],
            },
            {
                "config": to_json(RecallEvaluatorConfig(**{**settings, **config})),
                "splits": json_utils.dumps(list(splits)),
            },
        )
        return json.loads((self.folder / "evaluation" / "metrics.json").read_text())

    def verdict(self) -> tuple[list[str], int]:
        files = sorted(path.name for path in Path(self.blessing.uri).iterdir())
        return files, self.blessing.get_int_custom_property("blessed")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    made.write_examples(ASKED)
    return made


def test_figures_vectors_and_blessing(bench: Bench) -> None:
    metrics = bench.run(bench.save(7))
    assert (metrics["clicks"], metrics["items"]) == (5, 5)
    # Ranks first, third, second, first and never.
    assert metrics["stages"]["staged"]["all"] == {"clicks": 5, "click_recall": {"1": 2 / 5, "2": 3 / 5}}
    # The head is i0 and i1 (6 of 10 clicks do not make up 0.8, 9 do); i2, i3 and i4 are the tail, i4 is new.
    assert metrics["stages"]["staged"]["long_tail"] == {
        "clicks": 3,
        "click_recall": {"1": pytest.approx(1 / 3), "2": pytest.approx(2 / 3)},
    }
    assert metrics["stages"]["staged"]["new"] == {"clicks": 1, "click_recall": {"1": 1.0, "2": 1.0}}
    # By clicks i0, i1, i2, i3, i4.
    assert metrics["stages"]["popular"]["all"]["click_recall"] == {"1": 1 / 5, "2": 1 / 5}
    assert metrics["last_blessed"] is None and metrics["validation"] == {"ok": True, "reasons": []}
    # Cosines of all ten pairs: four 30 degrees apart, three 60, two 90, one 120.
    cosines = [math.cos(math.radians(30 * step)) for step in range(1, 5) for _ in range(5 - step)]
    assert metrics["random_cosine"] == pytest.approx(sum(cosines) / 10, abs=1e-6)
    assert bench.verdict() == (["BLESSED"], 1)
    assert bench.blessing.get_int_custom_property("current_model_id") == 7
    vectors = RecallVectors.read(str(bench.folder / "vectors"))
    assert vectors.item_ids.to_pylist() == list(ANGLES)
    angles = np.degrees(np.arctan2(vectors.items[:, 1], vectors.items[:, 0]))
    np.testing.assert_allclose(angles, list(ANGLES.values()), atol=1e-3)
    # An index cannot find what the catalog lacks.
    assert vectors.clicked.tolist() == [0, 2, 3, 4]
    angles = np.degrees(np.arctan2(vectors.users[:, 1], vectors.users[:, 0]))
    np.testing.assert_allclose(angles, [0, 0, 65, 110], atol=1e-3)


def test_only_the_named_splits_are_read(bench: Bench) -> None:
    bench.write_examples([("u1", 1, True), ("u1", 1, False)], "eval")
    model = bench.save(7)
    assert bench.run(model, splits=("eval",))["clicks"] == 1
    assert bench.run(model, splits=("eval", "test"))["clicks"] == 6


@pytest.mark.parametrize(("max_drop", "blessed"), [(0.19, False), (0.21, True)])
def test_against_the_last_blessed_on_the_same_clicks(bench: Bench, max_drop: float, blessed: bool) -> None:
    # For the last one u1 is at 20: 30 and 0 are the nearest; so its ranks are second, third, second, first. With
    # u2 at 20 too, the new one no longer finds i3.
    last, model = bench.save(5, USERS | {"u1": 20}), bench.save(7, USERS | {"u2": 20})
    metrics = bench.run(model, [last], max_drop=max_drop)
    assert metrics["stages"]["staged"]["all"]["click_recall"]["2"] == 2 / 5
    assert metrics["last_blessed"]["stages"]["staged"]["all"]["click_recall"] == {"1": 1 / 5, "2": 3 / 5}
    expected = (
        []
        if blessed
        else ["click_recall@2 is 0.2 below that of the last blessed model; at most 0.19 is allowed"]
    )
    assert metrics["validation"] == {"ok": blessed, "reasons": expected}
    assert bench.verdict()[1] == int(blessed)
    assert bench.blessing.get_int_custom_property("baseline_model_id") == 5
    assert bench.blessing.get_int_custom_property("current_model_id") == 7


def test_a_collapsed_model_is_refused_and_its_vectors_kept(bench: Bench) -> None:
    alike = {item: 0.1 * place for place, item in enumerate(ANGLES)}
    metrics = bench.run(bench.save(7, items=alike), max_random_cosine=0.9)
    (reason,) = metrics["validation"]["reasons"]
    assert reason.startswith("the mean cosine of two random items' vectors is 0.9999")
    assert bench.verdict() == (["NOT_BLESSED"], 0)
    assert len(RecallVectors.read(str(bench.folder / "vectors")).items) == 5


def test_no_click_in_the_test_days(bench: Bench) -> None:
    bench.write_examples([("u1", 0, False)], "eval")
    metrics = bench.run(bench.save(7), splits=("eval",))
    assert metrics["clicks"] == 0 and metrics["stages"]["staged"]["all"]["click_recall"] == {
        "1": None,
        "2": None,
    }
    assert metrics["validation"]["reasons"] == [
        "click_recall@2 is undefined: the evaluated split has no click; at least 0 is asked"
    ]
    vectors = RecallVectors.read(str(bench.folder / "vectors"))
    assert vectors.users.shape == (0, 2) and vectors.items.shape == (5, 2)


def test_a_catalog_of_one_item(bench: Bench) -> None:
    bench.write_catalog(["i2"])
    metrics = bench.run(bench.save(7), max_random_cosine=0.5)
    assert metrics["stages"]["staged"]["all"]["click_recall"] == {"1": 1 / 5, "2": 1 / 5}
    assert metrics["random_cosine"] is None and metrics["validation"]["ok"]


def test_an_empty_catalog(bench: Bench) -> None:
    bench.write_catalog([])
    with pytest.raises(InputError, match="expected items in"):
        bench.run(bench.save(7))


def test_component_is_wired_by_type() -> None:
    channels = {
        "examples": types.Channel(type=standard_artifacts.Examples),
        "catalog": types.Channel(type=artifacts.Catalog),
        "item_stats": types.Channel(type=artifacts.ItemStats),
        "model": types.Channel(type=standard_artifacts.Model),
    }
    component = RecallEvaluator(**channels, config=RecallEvaluatorConfig())
    assert set(component.inputs) == set(channels)
    assert json_utils.loads(component.exec_properties["splits"]) == ["test"]
    assert {name: channel.type for name, channel in component.outputs.items()} == {
        "evaluation": standard_artifacts.ModelEvaluation,
        "vectors": artifacts.RecallVectors,
        "blessing": standard_artifacts.ModelBlessing,
    }
    with_last = RecallEvaluator(**channels, config=RecallEvaluatorConfig(), last_blessed=channels["model"])
    assert set(with_last.inputs) == {*channels, "last_blessed"}
    with pytest.raises(TypeError):
        RecallEvaluator(**channels | {"catalog": channels["model"]}, config=RecallEvaluatorConfig())
