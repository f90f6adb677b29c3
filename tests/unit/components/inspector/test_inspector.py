"""The Inspector over real records, exported models and Parquet files."""

import base64
import io
import json
import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from PIL import Image
from tfx import types
from tfx.types import standard_artifacts

from components import artifacts
from components.inspector.component import Inspector
from components.inspector.config import InspectorConfig
from components.inspector.executor import Executor
from transforms.configuration import to_json
from transforms.input_error import InputError

BEHAVIORS = ["b1", "b2", "b1", "b3", "gone"]
# Item, prediction of IDs, of content, clicked, frequency group, behaviors. The third row lacks behaviors.
ROWS = [
    ("plain", 0.25, 0.375, 0, 4, BEHAVIORS),
    ("risen", 0.125, 0.75, 1, 2, BEHAVIORS),
    ("short", 0.125, 0.875, 1, 2, ["b1"]),
    ("fallen", 0.5, 0.125, 0, 8, BEHAVIORS),
    ("fresh", 0.25, 0.5, 1, 9, BEHAVIORS),
]
ANGLES = {"risen": 0, "b1": 0, "b2": 60, "b3": 120}


class Lookup(tf.Module):
    """Says of each item what it was told."""

    def __init__(self, predictions: dict[str, float]):
        super().__init__()
        initializer = tf.lookup.KeyValueTensorInitializer(
            list(predictions), list(predictions.values()), tf.string, tf.float32
        )
        self.predictions = tf.lookup.StaticHashTable(initializer, float("nan"))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def predict(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        items = tf.io.parse_example(examples, {"item_id": tf.io.FixedLenFeature([], tf.string)})["item_id"]
        return {"probabilities": self.predictions.lookup(items)}


def picture(color: tuple[int, int, int]) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (300, 150), color).save(stream, "PNG")
    return stream.getvalue()


def artifact(kind: type[types.Artifact], uri: Path) -> Any:
    made = kind()
    made.uri = str(uri)
    return made


def strings(values: list[str]) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode() for value in values]))


def number(value: int) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))


class Bench:
    """Makes the inputs below one folder and runs the executor over them."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.write_examples(ROWS)
        catalog = {
            "item_id": ["risen", "fresh", "b1", "b2", "b3", "unused"],
            "title": ["the risen", None, "first", "second", "third", "nobody asks"],
            "image": [picture((200, 0, 0)), None, picture((0, 0, 200)), b"no picture", None, b""],
        }
        self.write_table("catalog", catalog)
        vectors = [[math.cos(math.radians(a)), math.sin(math.radians(a))] for a in ANGLES.values()]
        embeddings = {"item_id": [*ANGLES, "fresh"], "image_embedding": [*vectors, None]}
        self.write_table("embeddings", embeddings)

    def write_table(self, name: str, columns: dict[str, list]) -> None:
        (self.folder / name).mkdir()
        pq.write_table(pa.table(columns), self.folder / name / "part-0.parquet")

    def write_examples(self, rows: list[tuple]) -> None:
        folder = self.folder / "examples" / "Split-test"
        folder.mkdir(parents=True, exist_ok=True)
        with tf.io.TFRecordWriter(str(folder / "examples-00000-of-00001")) as writer:
            for place, (item, _, _, clicked, group, behaviors) in enumerate(rows):
                features = {
                    "impression_id": strings([f"m{place}"]),
                    "user_id": strings([f"u{place}"]),
                    "item_id": strings([item]),
                    "clicked": number(clicked),
                    "item_frequency_group": number(group),
                    "behavior_item_id": strings(behaviors),
                }
                example = tf.train.Example(features=tf.train.Features(feature=features))
                writer.write(example.SerializeToString())

    def save(self, name: str, column: int) -> types.Artifact:
        module = Lookup({row[0]: row[column] for row in ROWS})
        tf.saved_model.save(
            module, str(self.folder / name / "Format-Serving"), signatures={"serving_default": module.predict}
        )
        return artifact(standard_artifacts.Model, self.folder / name)

    def run(
        self,
        baseline: bool = True,
        embeddings: bool = True,
        modalities: tuple[str, ...] = ("image",),
        **config: int,
    ) -> dict[str, Any]:
        examples = artifact(standard_artifacts.Examples, self.folder / "examples")
        examples.split_names = '["train", "eval", "test"]'
        inputs = {
            "examples": [examples],
            "catalog": [artifact(artifacts.Catalog, self.folder / "catalog")],
            "model": [self.save("content", 2)],
            "id_baseline": [self.save("ids", 1)] if baseline else [],
            "embeddings": [artifact(artifacts.Embeddings, self.folder / "embeddings")] if embeddings else [],
        }
        outputs = {"inspection": [artifact(artifacts.Inspection, self.folder / "inspection")]}
        properties = {
            "modalities": json.dumps(modalities),
            "num_tiers": 5,
            "config": to_json(InspectorConfig(**config)),
        }
        Executor().Do(inputs, outputs, properties)
        return json.loads((self.folder / "inspection" / "inspection.json").read_text())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_what_is_said_of_an_impression(bench: Bench) -> None:
    inspection = bench.run()
    shown = {impression["item_id"]: impression for impression in inspection["impressions"]}
    # Raised and clicked, the new one first; lowered, not clicked; raised, not clicked; one more of the first kind
    # comes only in the second round, where chance may have had it. "short" has too few behaviors.
    assert [row["item_id"] for row in inspection["impressions"]][:3] == ["fresh", "fallen", "plain"]
    assert set(shown) == {"fresh", "fallen", "plain", "risen"}
    risen = shown["risen"]
    behaviors = risen.pop("behaviors")
    # Cosines 1, 0.5, 1, -0.5, and none of "gone": tiers of width 0.4 from -1.
    assert risen == {
        "impression_id": "m1",
        "item_id": "risen",
        "clicked": True,
        "group": 2,
        "picked": "random",
        "prediction": 0.75,
        "baseline_prediction": 0.125,
        "num_behaviors": 5,
        "num_behavior_items": 4,
        "modalities": {"image": {"has_embedding": True, "compared": 4, "tiers": [0, 1, 0, 1, 2]}},
    }
    assert [behavior["item_id"] for behavior in behaviors] == ["b1", "b2", "b3", "gone"]
    assert [behavior["times"] for behavior in behaviors] == [2, 1, 1, 1]
    cosines = [behavior["similarities"]["image"] for behavior in behaviors]
    assert cosines == [pytest.approx(1), pytest.approx(0.5), pytest.approx(-0.5), None]
    assert shown["fresh"]["group"] == "new"
    nothing = {"has_embedding": False, "compared": 0, "tiers": None}
    assert shown["fresh"]["modalities"] == {"image": nothing}
    assert (inspection["scanned"], inspection["click_rate"]) == (5, pytest.approx(3 / 5))
    assert (inspection["has_baseline"], inspection["num_tiers"]) == (True, 5)


def test_titles_and_pictures_of_what_is_shown(bench: Bench) -> None:
    items = bench.run()["items"]
    assert set(items) == {"risen", "fresh", "b1", "b2", "b3"}
    assert items["fresh"] == {"title": None, "picture": None}
    assert items["b2"] == {"title": "second", "picture": None}
    kind, data = items["b1"]["picture"].split(",")
    assert kind == "data:image/jpeg;base64"
    small = Image.open(io.BytesIO(base64.b64decode(data)))
    assert small.size == (128, 64)
    assert small.resize((1, 1)).getpixel((0, 0)) == pytest.approx((0, 0, 200), abs=6)
    items = bench.run(behaviors=1)["items"]
    # Of "risen" the most similar one is b1; of the others the latest is shown, which the catalog does not have.
    assert set(items) == {"risen", "fresh", "b1"}


def test_without_a_baseline_against_the_mean(bench: Bench) -> None:
    inspection = bench.run(baseline=False)
    assert not inspection["has_baseline"]
    # Mean 0.525: risen is above it, and clicked; fallen below, not clicked; fresh below, and clicked.
    picked = {row["item_id"]: row["picked"] for row in inspection["impressions"]}
    assert list(picked)[:3] == ["risen", "fallen", "fresh"]
    assert (picked["risen"], picked["fallen"], picked["fresh"]) == ("raised", "lowered", "lowered")
    assert {row["baseline_prediction"] for row in inspection["impressions"]} == {None}


def test_without_embeddings(bench: Bench) -> None:
    inspection = bench.run(embeddings=False)
    assert inspection["modalities"] == []
    risen = next(row for row in inspection["impressions"] if row["item_id"] == "risen")
    assert risen["modalities"] == {}
    assert [behavior["item_id"] for behavior in risen["behaviors"]] == ["gone", "b3", "b1", "b2"]


def test_only_the_first_impressions(bench: Bench) -> None:
    inspection = bench.run(max_scanned=2)
    assert inspection["scanned"] == 2
    assert {row["item_id"] for row in inspection["impressions"]} == {"plain", "risen"}
    assert len(bench.run(impressions=1)["impressions"]) == 1


def test_no_impression(bench: Bench) -> None:
    bench.write_examples([])
    inspection = bench.run(baseline=False)
    assert (inspection["scanned"], inspection["click_rate"], inspection["impressions"]) == (0, None, [])
    (bench.folder / "examples" / "Split-test" / "examples-00000-of-00001").unlink()
    with pytest.raises(InputError, match="expected examples in .*Split-test, got no file"):
        bench.run()


def test_component_is_wired_by_type() -> None:
    channels = {
        "examples": types.Channel(type=standard_artifacts.Examples),
        "catalog": types.Channel(type=artifacts.Catalog),
        "model": types.Channel(type=standard_artifacts.Model),
    }
    config = InspectorConfig(impressions=3)
    alone = Inspector(**channels, modalities=("text",), num_tiers=10, config=config)
    assert alone.outputs["inspection"].type is artifacts.Inspection
    assert alone.exec_properties == {"modalities": '["text"]', "num_tiers": 10, "config": to_json(config)}
    optional = {
        "embeddings": types.Channel(type=artifacts.Embeddings),
        "id_baseline": types.Channel(type=standard_artifacts.Model),
    }
    both = Inspector(**channels, **optional, modalities=(), num_tiers=10, config=config)
    assert set(both.inputs) == set(channels) | set(optional)
    with pytest.raises(TypeError):
        Inspector(**channels | {"catalog": channels["model"]}, modalities=(), num_tiers=10, config=config)


@pytest.mark.parametrize("wrong", [{"impressions": -1}, {"behaviors": -1}, {"max_scanned": 0}, {"seed": -1}])
def test_config_is_checked(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError, match=rf"inspector\.{next(iter(wrong))} must be"):
        InspectorConfig(**wrong)
