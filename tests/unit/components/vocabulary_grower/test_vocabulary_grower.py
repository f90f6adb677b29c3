"""VocabularyGrower over real records and a real transform: known ids keep their rows, new ones come after them."""

import dataclasses
import shutil
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from tfx import types
from tfx.types import artifact_utils, standard_artifacts

from components.vocabulary_grower.executor import Executor
from models.ctr.config import CtrConfig
from models.ctr.model import CtrModel
from serving.signatures import save_ctr_model
from transforms.configuration import to_json
from transforms.feature import Feature, model_features
from transforms.ingest_config import IngestConfig
from transforms.input_error import InputError
from transforms.preprocessing import table_rows

sys.path.append(str(Path(__file__).resolve().parents[3] / "support"))
from made_clicks import INGEST, MAX_BEHAVIORS, SPEC, Row, make_rows, serialize, write_split, write_transform

# A brand has to come twice to be known.
GROWING = dataclasses.replace(
    INGEST,
    features=tuple(
        dataclasses.replace(feature, min_count=2) if feature.name == "brand" else feature
        for feature in INGEST.features
    ),
)
IDS = ("user_id", "item_id", "category_id", "shop_id", "gender", "brand")
BUCKETS = {feature.name: feature.num_oov_buckets for feature in model_features(INGEST.features)}


def row(user: str, item: str, behaviors: list[str], **values: list) -> Row:
    known = make_rows(1)[0]
    return (
        known
        | {
            "user_id": [user],
            "item_id": [item],
            "behavior_item_id": behaviors,
            "behavior_category_id": ["c1"] * len(behaviors),
            "behavior_shop_id": ["s1"] * len(behaviors),
        }
        | values
    )


# New are: the users zoe (twice), bob and eve (once); as items "seen" (a behavior three times), "late" (an impression
# and a behavior), "odd\nitem", which no line can hold, and "" that is missing; of brands "new" comes twice, "once"
# once; the gender "x" once. Of equal counts bob comes before eve.
DAY = [
    row("eve", "late", ["seen", "i3"], brand=["new"], gender=["x"]),
    row("zoe", "i3", ["seen", "", "late"], brand=["once"]),
    row("bob", "odd\nitem", ["seen"], brand=["new"], shop_id=[]),
    row("zoe", "i4", [], brand=["b1"]),
]
ADDED = {
    "user_id": ["zoe", "bob", "eve"],
    "item_id": ["seen", "late"],
    "category_id": [],
    "shop_id": [],
    "gender": ["x"],
    "brand": ["new"],
}


@dataclasses.dataclass
class Grown:
    """A graph before and after a day."""

    before: tft.TFTransformOutput
    after: tft.TFTransformOutput
    uri: str


def artifact(kind: type[types.Artifact], uri: Path) -> Any:
    made = kind()
    made.uri = str(uri)
    return made


def run(graph: Path, examples: Any, out: Path, ingest: IngestConfig = GROWING) -> types.Artifact:
    made = artifact(standard_artifacts.TransformGraph, out)
    context = Executor.Context(
        beam_pipeline_args=["--runner=DirectRunner", "--direct_running_mode=in_memory"],
        tmp_dir=str(out.parent / "tmp"),
        unique_id="1",
    )
    Executor(context).Do(
        {"examples": [examples], "known_graph": [artifact(standard_artifacts.TransformGraph, graph)]},
        {"transform_graph": [made]},
        {"ingest": to_json(ingest)},
    )
    return made


def examples_of(folder: Path) -> Any:
    """The day's examples; what the next day brings is in the other splits and must not be known."""
    write_split(folder, "train", DAY)
    write_split(folder, "eval", [row("tomorrow", "tomorrow", ["tomorrow"] * 9)])
    made = artifact(standard_artifacts.Examples, folder)
    made.split_names = artifact_utils.encode_split_names(["train", "eval"])
    return made


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Grown:
    folder = tmp_path_factory.mktemp("grower")
    before = write_transform(folder / "known", make_rows(120))
    made = run(folder / "known", examples_of(folder / "examples"), folder / "grown")
    # What was grown has to work without what it grew from.
    shutil.copytree(folder / "known", folder / "kept")
    shutil.rmtree(folder / "known")
    before = tft.TFTransformOutput(str(folder / "kept"))
    return Grown(before, tft.TFTransformOutput(made.uri), made.uri)


def vocabulary(graph: tft.TFTransformOutput, name: str) -> list[str]:
    return [entry.decode() for entry in graph.vocabulary_by_name(name)]


def transform(graph: tft.TFTransformOutput, rows: list[Row]) -> dict[str, np.ndarray]:
    parsed = tf.io.parse_example([serialize(entry) for entry in rows], SPEC)
    return {name: value.numpy() for name, value in graph.transform_features_layer()(parsed).items()}


@pytest.mark.parametrize("name", IDS)
def test_new_ids_come_after_the_known_ones(name: str, grown: Grown) -> None:
    assert vocabulary(grown.after, name) == vocabulary(grown.before, name) + ADDED[name]


def test_tables_have_a_row_for_every_id(grown: Grown) -> None:
    for feature in model_features(INGEST.features):
        if feature.kind == "id":
            assert table_rows(feature, grown.after) == table_rows(feature, grown.before) + len(
                ADDED[feature.name]
            )
    # Ages are cut in three buckets as before.
    assert table_rows(Feature("age", kind="bucketized", num_buckets=3), grown.after) == 4


def test_ids_are_the_places_in_the_vocabulary_and_unknown_ones_in_the_buckets_behind(grown: Grown) -> None:
    rows = [*make_rows(40), *DAY, row("nobody", "tomorrow", ["tomorrow", "i2"], brand=["once"], gender=["y"])]
    before, after = transform(grown.before, rows), transform(grown.after, rows)
    for name in IDS:
        known = {entry: place for place, entry in enumerate(vocabulary(grown.after, name), start=1)}
        old_size = len(vocabulary(grown.before, name))
        values = [entry[name][0] if entry[name] else "" for entry in rows]
        for value, found, old in zip(values, after[f"{name}_xf"], before[f"{name}_xf"], strict=True):
            if value == "":
                assert found == old == 0
            elif value in known:
                assert found == known[value]
                assert found == old or old > old_size
            else:
                # The bucket is the same; only where the buckets begin has moved.
                assert found - 1 - len(known) == old - 1 - old_size
                assert 0 <= found - 1 - len(known) < BUCKETS[name]
    items = {entry: place for place, entry in enumerate(vocabulary(grown.after, "item_id"), start=1)}
    assert after["behavior_item_id_xf"][41].tolist() == [items["seen"], 0, items["late"], 0]


def test_numbers_are_scaled_and_cut_as_on_the_first_day(grown: Grown) -> None:
    rows = [*make_rows(40), *DAY]
    before, after = transform(grown.before, rows), transform(grown.after, rows)
    for name in ("age_xf", "price_xf"):
        np.testing.assert_array_equal(after[name], before[name])


def test_an_exported_model_looks_ids_up_in_the_grown_vocabulary(grown: Grown, tmp_path: Path) -> None:
    features = model_features(INGEST.features)
    sizes = {f.name: table_rows(f, grown.after) for f in features if f.kind != "numeric"}
    config = CtrConfig("id", embedding_dim=4, attention_units=(6,), mlp_units=(8,))
    keras.utils.set_random_seed(0)
    model = CtrModel(features, sizes, config, None)
    rows = [DAY[0], DAY[0] | {"item_id": ["i3"]}]
    ids = transform(grown.after, rows)
    items = {entry: place for place, entry in enumerate(vocabulary(grown.after, "item_id"), start=1)}
    ids["item_id_xf"] = np.array([items["late"], items["i3"]])
    inputs = {name: tf.constant(value) for name, value in ids.items() if name != "clicked"}
    wanted = tf.sigmoid(model(inputs)).numpy().ravel()
    save_ctr_model(
        model,
        grown.after.transform_features_layer(),
        SPEC,
        features,
        MAX_BEHAVIORS,
        str(tmp_path / "m"),
        None,
    )
    serve = tf.saved_model.load(str(tmp_path / "m")).signatures["serving_default"]
    (found,) = [
        value.numpy().ravel()
        for value in serve(tf.constant([serialize(entry) for entry in rows])).values()
        if value.dtype == tf.float32
    ]
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert wanted[0] != wanted[1]


def test_growing_again_by_the_same_day_adds_nothing(grown: Grown, tmp_path: Path) -> None:
    again = run(Path(grown.uri), examples_of(tmp_path / "examples"), tmp_path / "again")
    for name in IDS:
        assert vocabulary(tft.TFTransformOutput(again.uri), name) == vocabulary(grown.after, name)


def test_a_feature_that_the_first_day_did_not_have(grown: Grown, tmp_path: Path) -> None:
    more = dataclasses.replace(GROWING, features=(*GROWING.features, Feature("impression_id")))
    with pytest.raises(InputError, match="ingest.features names impression_id, and the transform graph"):
        run(Path(grown.uri), examples_of(tmp_path / "examples"), tmp_path / "out", more)
