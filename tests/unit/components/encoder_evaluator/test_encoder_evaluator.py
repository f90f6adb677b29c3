"""The EncoderEvaluator over real Parquet files and small exported encoders, against numbers worked by hand."""

import io
import json
import math
from collections.abc import Mapping, Sequence
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
from components.encoder_evaluator.component import EncoderEvaluator
from components.encoder_evaluator.config import EncoderEvaluatorConfig
from components.encoder_evaluator.executor import Executor
from transforms.configuration import to_json
from transforms.input_error import InputError

# Items by their titles' angles on the circle.
TITLES = {
    "red shoe": 0,
    "blue shoe": 20,
    "green hat": 40,
    "wool scarf": 60,
    "coat for winter": 80,
    "umbrella": 100,
    "black sun glasses": 120,
}
# Query, its angle, its positive's title; then what follows from the angles and the words.
PAIRS = [
    ("red", 2, "red shoe"),  # rank 1, easy
    ("Blue", 21, "blue shoe"),  # rank 1, easy
    ("green boot", 42, "green hat"),  # rank 1, between
    ("warm", 45, "wool scarf"),  # 40° is 5° away, 60° is 15° away: rank 2, hard
    ("for winter", 1, "coat for winter"),  # behind 0°, 20°, 40°, 60°: rank 5, easy
    ("rain", 3, "umbrella"),  # rank 6, hard
    ("sun", 118, "black sun glasses"),  # rank 1, easy
    ("party", 119, "red shoe"),  # the farthest of all: rank 7, hard
]
RANKS = [1, 1, 1, 2, 5, 6, 1, 7]
ANGLES = TITLES | {query: angle for query, angle, _ in PAIRS}
HISTORY = {"method": "scl", "temperature": 0.05, "bank": {"size": 8, "filled": 8, "age_steps": 2.5}}

SCHEMA = pa.schema(
    [
        ("query_text", pa.string()),
        ("query_image", pa.binary()),
        ("positive_item_id", pa.string()),
        ("positive_title", pa.string()),
        ("positive_image", pa.binary()),
        ("negative_item_id", pa.string()),
        ("negative_title", pa.string()),
        ("negative_image", pa.binary()),
    ]
)


class Circle(tf.Module):
    """Looks a text's angle up and gives the vector there."""

    def __init__(self, angles: Mapping[str, float]):
        super().__init__()
        initializer = tf.lookup.KeyValueTensorInitializer(
            list(angles), [math.radians(angle) for angle in angles.values()], tf.string, tf.float32
        )
        self.angles = tf.lookup.StaticHashTable(initializer, float("nan"))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def encode(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        angles = self.angles.lookup(text)
        return {"embedding": tf.stack([tf.cos(angles), tf.sin(angles)], axis=1)}


class Color(tf.Module):
    """The direction of a picture's mean color."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = tf.Variable(1.0)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def encode(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        colors = tf.map_fn(self._color, image_bytes, fn_output_signature=tf.TensorSpec([3], tf.float32))
        return {"embedding": tf.math.l2_normalize(colors * self.scale, axis=1)}

    def _color(self, picture: tf.Tensor) -> tf.Tensor:
        pixels = tf.io.decode_image(picture, channels=3, expand_animations=False)
        return tf.reduce_mean(tf.cast(pixels, tf.float32), axis=[0, 1])


class Bench:
    """Makes the inputs below one folder and runs the executor over them."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.evaluation = folder / "evaluation"
        self.blessing = artifact(standard_artifacts.ModelBlessing, folder / "blessing")
        self.write_history(HISTORY)

    def write_history(self, history: dict[str, Any]) -> None:
        (self.folder / "run").mkdir(exist_ok=True)
        (self.folder / "run" / "history.json").write_text(json.dumps(history))

    def write_pairs(self, rows: list[dict], split: str = "test", rows_per_file: int = 3) -> None:
        folder = self.folder / "pairs" / f"Split-{split}"
        folder.mkdir(parents=True)
        for start in range(0, len(rows), rows_per_file):
            table = pa.Table.from_pylist(rows[start : start + rows_per_file], schema=SCHEMA)
            pq.write_table(table, folder / f"pairs-{start:05}.parquet")

    def save(self, module: tf.Module, number: int) -> standard_artifacts.Model:
        uri = self.folder / f"model-{number}"
        tf.saved_model.save(module, str(uri / "Format-Serving"), signatures=module.encode)
        made = artifact(standard_artifacts.Model, uri)
        made.id = number
        return made

    def run(
        self,
        model: types.Artifact,
        modality: str = "text",
        baseline: Sequence[types.Artifact] = (),
        **config: Any,
    ) -> dict[str, Any]:
        inputs = {
            "model": [model],
            "model_run": [artifact(standard_artifacts.ModelRun, self.folder / "run")],
            "query_pairs": [artifact(artifacts.QueryPairs, self.folder / "pairs")],
            "baseline_model": list(baseline),
        }
        outputs = {
            "evaluation": [artifact(standard_artifacts.ModelEvaluation, self.evaluation)],
            "blessing": [self.blessing],
        }
        properties = {"modality": modality, "config": to_json(EncoderEvaluatorConfig(**config))}
        Executor().Do(inputs, outputs, properties)
        return json.loads((self.evaluation / "metrics.json").read_text())

    def examples(self) -> list[dict[str, Any]]:
        return pq.read_table(self.evaluation / "examples.parquet").to_pylist()

    def verdict(self) -> tuple[list[str], int]:
        files = sorted(path.name for path in Path(self.blessing.uri).iterdir())
        return files, self.blessing.get_int_custom_property("blessed")


def artifact(kind: type[types.Artifact], uri: Path) -> types.Artifact:
    made = kind()
    made.uri = str(uri)
    return made


def text_row(query: str | None, title: str | None, item: str | None = None) -> dict[str, Any]:
    return {"query_text": query, "positive_title": title, "positive_item_id": item or f"id of {title}"}


def text_rows() -> list[dict[str, Any]]:
    """The pairs, among rows that are no text pairs."""
    rows = [text_row(query, title) for query, _, title in PAIRS]
    rows.insert(2, text_row(None, "red shoe") | {"query_image": b"x", "positive_image": b"y"})
    rows.insert(5, text_row(" \t", "green hat"))
    rows.insert(7, text_row("untitled", None, "item"))
    return rows


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def text_bench(bench: Bench) -> Bench:
    bench.write_pairs(text_rows())
    bench.write_pairs([text_row("unknown", "to the encoder")], "train")
    return bench


def away(degrees: float) -> float:
    """Squared distance of two vectors of the circle that far apart."""
    return (2 * math.sin(math.radians(degrees) / 2)) ** 2


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_exact_figures(text_bench: Bench, batch_size: int) -> None:
    metrics = text_bench.run(text_bench.save(Circle(ANGLES), 7), batch_size=batch_size)
    # Queries and positives are 2, 1, 2, 15, 79, 97, 2 and 119 degrees apart. Of the 21 pairs of items, 7 - k
    # are 20·k degrees apart.
    apart = [20 * k for k in range(1, 7) for _ in range(7 - k)]
    kernels = [math.exp(-2 * away(degrees)) for degrees in apart]
    cosines = [math.cos(math.radians(degrees)) for degrees in apart]
    assert metrics.pop("alignment") == pytest.approx(sum(map(away, [2, 1, 2, 15, 79, 97, 2, 119])) / 8, 1e-5)
    assert metrics.pop("uniformity") == pytest.approx(math.log(sum(kernels) / 21), abs=1e-5)
    assert metrics.pop("random_cosine") == pytest.approx(sum(cosines) / 21, abs=1e-6)
    assert metrics == {
        "modality": "text",
        "method": "scl",
        "pairs": 8,
        "candidates": 7,
        "acc@1": 4 / 8,  # ranks 1, 1, 1, 2, 5, 6, 1, 7
        "acc@5": 6 / 8,
        "slices": {
            "easy": {"pairs": 4, "acc@1": 3 / 4, "acc@5": 1.0},  # ranks 1, 1, 5, 1
            "between": {"pairs": 1, "acc@1": 1.0, "acc@5": 1.0},  # rank 1
            "hard": {"pairs": 3, "acc@1": 0.0, "acc@5": 1 / 3},  # ranks 2, 6, 7
        },
        "temperature": 0.05,
        "bank_age_steps": 2.5,
        "baseline": None,
        "blessed": True,
        "reasons": [],
    }
    assert text_bench.verdict() == (["BLESSED"], 1)
    assert text_bench.blessing.get_int_custom_property("current_model_id") == 7
    assert text_bench.blessing.get_string_custom_property("current_model").endswith("model-7")


def test_examples_are_right_and_wrong_ones(text_bench: Bench) -> None:
    text_bench.run(text_bench.save(Circle(ANGLES), 7), examples=4, batch_size=2)
    examples = text_bench.examples()
    ranks = dict(zip([query for query, _, _ in PAIRS], RANKS, strict=True))
    assert [example["rank"] for example in examples] == [ranks[e["query_text"]] for e in examples]
    assert sum(example["rank"] == 1 for example in examples) == 2
    assert len({example["query_text"] for example in examples}) == 4
    for example in examples:
        angle = ANGLES[example["query_text"]]
        nearest = sorted(TITLES, key=lambda title: abs(TITLES[title] - angle))[:5]
        assert example["top_titles"] == nearest
        assert example["top_item_ids"] == [f"id of {title}" for title in nearest]
        cosines = [math.cos(math.radians(TITLES[title] - angle)) for title in nearest]
        assert example["top_similarities"] == pytest.approx(cosines, abs=1e-6)
        assert example["positive_item_id"] == f"id of {example['positive_title']}"
    assert text_bench.run(text_bench.save(Circle(ANGLES), 8), examples=4)["blessed"]
    assert text_bench.examples() == examples


@pytest.mark.parametrize(("count", "right"), [(7, 3), (8, 4), (50, 4), (0, 0)])
def test_as_many_examples_as_there_are(text_bench: Bench, count: int, right: int) -> None:
    text_bench.run(text_bench.save(Circle(ANGLES), 7), examples=count)
    ranks = [example["rank"] for example in text_bench.examples()]
    assert len(ranks) == min(count, 8)
    assert ranks.count(1) == right


def test_a_model_without_bank(text_bench: Bench) -> None:
    text_bench.write_history({"method": "backbone", "temperature": None, "bank": None})
    metrics = text_bench.run(text_bench.save(Circle(ANGLES), 7))
    assert (metrics["method"], metrics["temperature"], metrics["bank_age_steps"]) == ("backbone", None, None)


def test_refused_below_the_least_accuracy(text_bench: Bench) -> None:
    model = text_bench.save(Circle(ANGLES), 7)
    assert text_bench.run(model, min_acc=0.5)["blessed"]
    text_bench.blessing = artifact(standard_artifacts.ModelBlessing, text_bench.folder / "second")
    metrics = text_bench.run(model, min_acc=0.51)
    assert metrics["blessed"] is False
    assert metrics["reasons"] == ["acc@1 0.5000 is below min_acc 0.51"]
    assert text_bench.verdict() == (["NOT_BLESSED"], 0)


@pytest.mark.parametrize(("max_drop", "blessed"), [(0.1, False), (0.124, False), (0.125, True), (1.0, True)])
def test_against_the_last_blessed_encoder(text_bench: Bench, max_drop: float, blessed: bool) -> None:
    # The baseline finds the scarf too (at 61°): 5 of 8 queries, one eighth more.
    model, baseline = text_bench.save(Circle(ANGLES), 7), text_bench.save(Circle(ANGLES | {"warm": 61}), 5)
    metrics = text_bench.run(model, baseline=[baseline], max_drop=max_drop)
    assert metrics["baseline"] == {"acc@1": 5 / 8, "acc@5": 6 / 8}
    assert metrics["acc@1"] == 4 / 8
    assert metrics["blessed"] is blessed
    assert len(metrics["reasons"]) == (not blessed)
    assert all("0.6250, that of the last blessed encoder" in reason for reason in metrics["reasons"])
    assert text_bench.blessing.get_int_custom_property("baseline_model_id") == 5
    assert text_bench.blessing.get_int_custom_property("current_model_id") == 7


def test_a_better_encoder_than_the_last_is_blessed(text_bench: Bench) -> None:
    baseline = text_bench.save(Circle(ANGLES | {"red": 90}), 5)
    metrics = text_bench.run(text_bench.save(Circle(ANGLES), 7), baseline=[baseline], max_drop=0.0)
    assert metrics["baseline"]["acc@1"] == 3 / 8
    assert metrics["blessed"] is True


def test_a_broken_baseline_stops_nothing(text_bench: Bench) -> None:
    baseline = text_bench.save(Circle(ANGLES | {"red": math.nan}), 5)
    metrics = text_bench.run(text_bench.save(Circle(ANGLES), 7), baseline=[baseline])
    assert metrics["baseline"] == {"acc@1": None, "acc@5": None}
    assert metrics["blessed"] is True


def test_a_collapsed_encoder_is_refused(text_bench: Bench) -> None:
    metrics = text_bench.run(text_bench.save(Circle(dict.fromkeys(ANGLES, 33.0)), 7))
    assert metrics["acc@1"] == pytest.approx(1 / 7)
    assert metrics["acc@5"] == pytest.approx(5 / 7)
    assert metrics["random_cosine"] == pytest.approx(1.0)
    assert metrics["blessed"] is False
    assert [reason for reason in metrics["reasons"] if "the encoder has collapsed" in reason]


def test_a_narrow_cone_is_refused_however_accurate(text_bench: Bench) -> None:
    # A fifth of every angle keeps every order; items are then at most 24° apart.
    narrow = text_bench.save(Circle({text: angle / 5 for text, angle in ANGLES.items()}), 7)
    metrics = text_bench.run(narrow)
    assert metrics["acc@1"] == 4 / 8
    assert metrics["random_cosine"] > math.cos(math.radians(24))
    assert metrics["blessed"] is False
    assert text_bench.run(narrow, max_random_cosine=1.0)["blessed"] is True


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("sun", "1 of 8 query embeddings are not finite"),
        ("umbrella", "1 of 7 candidate embeddings are not finite"),
    ],
)
def test_vectors_that_are_not_finite(text_bench: Bench, text: str, reason: str) -> None:
    metrics = text_bench.run(text_bench.save(Circle(ANGLES | {text: math.nan}), 7))
    assert metrics["blessed"] is False
    assert metrics["reasons"] == [reason]
    assert metrics["acc@1"] is None and metrics["random_cosine"] is None and metrics["slices"] == {}
    assert metrics["pairs"] == 8
    assert text_bench.verdict() == (["NOT_BLESSED"], 0)
    assert text_bench.examples() == []


class Longer(Circle):
    """Vectors that nobody normalized."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def encode(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        angles = self.angles.lookup(text)
        return {"embedding": 1.01 * tf.stack([tf.cos(angles), tf.sin(angles)], axis=1)}


def test_vectors_that_are_not_normalized(text_bench: Bench) -> None:
    metrics = text_bench.run(text_bench.save(Longer(ANGLES), 7))
    assert metrics["reasons"] == ["8 of 8 query embeddings are not of length 1"]


def test_items_of_one_title_share_the_first_place(bench: Bench) -> None:
    # Three items, two of one title at 0°, which every query points to; the third is at 90°.
    bench.write_pairs([text_row("q", "twin", "a"), text_row("q", "twin", "b"), text_row("q", "other", "c")])
    metrics = bench.run(bench.save(Circle({"q": 1, "twin": 0, "other": 90}), 7), batch_size=1)
    # a and b are first in half the cases, c never: (1/2 + 1/2 + 0) / 3.
    assert metrics["acc@1"] == pytest.approx(1 / 3)
    assert metrics["candidates"] == 3


def test_one_candidate_has_no_random_cosine(bench: Bench) -> None:
    bench.write_pairs([text_row("q", "one")])
    metrics = bench.run(bench.save(Circle({"q": 1, "one": 0}), 7))
    assert metrics["random_cosine"] is None and metrics["uniformity"] is None
    assert metrics["acc@1"] == 1.0
    assert metrics["blessed"] is True


def picture(color: tuple[int, int, int]) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (6, 5), color).save(stream, "PNG")
    return stream.getvalue()


def test_pictures(bench: Bench) -> None:
    red, dark_red, green, blue = (200, 0, 0), (90, 5, 0), (0, 200, 0), (0, 0, 200)
    cyan = (0, 150, 160)  # nearer to blue than to green

    def row(query: tuple, item: str, positive: tuple) -> dict[str, Any]:
        pictures = {"query_image": picture(query), "positive_image": picture(positive)}
        return pictures | {"positive_item_id": item, "positive_title": item.upper(), "query_text": "t"}

    bench.write_pairs(
        [
            row(dark_red, "red", red),
            row(cyan, "green", green),
            text_row("no", "picture"),
            row(blue, "blue", blue),
        ]
    )
    metrics = bench.run(bench.save(Color(), 3), "image", batch_size=2)
    assert metrics["acc@1"] == pytest.approx(2 / 3)
    assert metrics["pairs"] == metrics["candidates"] == 3
    # Three colors at right angles.
    assert metrics["random_cosine"] == pytest.approx(0.0, abs=1e-6)
    # Pictures of one color have no step from pixel to pixel, so all are alike to the hash.
    assert metrics["slices"]["easy"]["pairs"] == 3
    examples = {example["positive_item_id"]: example for example in bench.examples()}
    wrong = examples["green"]
    assert (wrong["rank"], wrong["top_item_ids"]) == (2, ["blue", "green", "red"])
    assert wrong["query_image"] == picture(cyan)
    assert wrong["top_images"] == [picture(blue), picture(green), picture(red)]
    assert wrong["top_titles"] == ["BLUE", "GREEN", "RED"]
    assert (wrong["positive_image"], wrong["query_text"]) == (picture(green), "t")


@pytest.mark.parametrize("modality", ["text", "image"])
def test_no_pair_of_the_modality(bench: Bench, modality: str) -> None:
    bench.write_pairs([text_row(None, "title"), text_row("query", "  ")])
    bench.write_pairs(text_rows(), "train")
    with pytest.raises(InputError, match=f"the test split has no {modality} pair") as caught:
        bench.run(artifact(standard_artifacts.Model, bench.folder / "none"), modality)
    assert "\n" not in str(caught.value)


def test_component_is_wired_by_type() -> None:
    channels = {
        "model": types.Channel(type=standard_artifacts.Model),
        "model_run": types.Channel(type=standard_artifacts.ModelRun),
        "query_pairs": types.Channel(type=artifacts.QueryPairs),
    }
    config = EncoderEvaluatorConfig(min_acc=0.25)
    alone = EncoderEvaluator(**channels, modality="image", config=config)
    assert alone.outputs["blessing"].type is standard_artifacts.ModelBlessing
    assert alone.outputs["evaluation"].type is standard_artifacts.ModelEvaluation
    assert alone.exec_properties == {"modality": "image", "config": to_json(config)}
    baseline = types.Channel(type=standard_artifacts.Model)
    both = EncoderEvaluator(**channels, modality="image", config=config, baseline_model=baseline)
    assert set(both.inputs) == {*channels, "baseline_model"}
    with pytest.raises(TypeError):
        EncoderEvaluator(**channels | {"query_pairs": baseline}, modality="image", config=config)


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_acc": 1.5},
        {"min_acc": math.nan},
        {"max_drop": -0.1},
        {"max_random_cosine": 2.0},
        {"batch_size": 0},
        {"examples": -1},
        {"seed": -1},
    ],
)
def test_config_is_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=rf"encoder_evaluator\.{next(iter(wrong))} must be"):
        EncoderEvaluatorConfig(**wrong)
