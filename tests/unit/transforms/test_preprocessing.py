import tempfile

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

from transforms.configuration import to_json
from transforms.feature import Feature, model_features
from transforms.ingest_config import IngestConfig
from transforms.preprocessing import preprocessing_fn, table_rows

FEATURES = (
    Feature("gender", num_oov_buckets=2),
    Feature("city", min_count=2, num_oov_buckets=1),
    Feature("age", kind="numeric"),
    Feature("price", kind="bucketized", side="item", num_buckets=2),
    Feature("item_id", side="item", num_oov_buckets=3),
)
CONFIG = IngestConfig(features=FEATURES, max_behaviors=3)
TEXTS = ("user_id", "item_id", "category_id", "shop_id", "gender", "city")
BEHAVIORS = ("behavior_item_id", "behavior_category_id", "behavior_shop_id")


def row(item: str, behaviors: list[str], **values: list) -> dict[str, list]:
    """An example; the categories of behaviors are their items', the shop of all is the same."""
    return {
        "user_id": ["ann"],
        "item_id": [item],
        "category_id": [f"of {item}"],
        "shop_id": ["s"],
        "clicked": [0],
        "gender": [],
        "city": [],
        "age": [],
        "price": [],
        "behavior_item_id": behaviors,
        "behavior_category_id": [f"of {behavior}" if behavior else "" for behavior in behaviors],
        "behavior_shop_id": ["s"] * len(behaviors),
    } | values


TRAINING = [
    row("i0", [], clicked=[1], gender=["f"], city=["rome"], age=[1.0], price=[1.0]),
    row("i0", ["i1"], gender=["m"], city=["rome"], age=[3.0], price=[2.0]),
    row("i1", ["i0", "old", "i1", "i0"], gender=["f"], city=["oslo"], price=[10.0]),
    row("i0", ["i1", "i0"], price=[11.0]),
]
SERVING = [
    row("new", ["unseen", "i0"], user_id=["bob"], gender=["x"], city=["oslo"], age=[2.0], price=[-5.0]),
    row("", [], user_id=[], price=[99.0]),
    row("i1", ["", "i1", "i0", "i0", "old"], age=[4.0]),
]


def as_arrays(rows: list[dict[str, list]]) -> list[dict[str, np.ndarray]]:
    kinds = {**dict.fromkeys((*TEXTS, *BEHAVIORS), object), "clicked": np.int64}
    return [
        {
            name: np.array(
                [value.encode() if isinstance(value, str) else value for value in values],
                kinds.get(name, np.float32),
            )
            for name, values in entry.items()
        }
        for entry in rows
    ]


@pytest.fixture(scope="module")
def transformed() -> tuple[list[dict], list[dict], tft.TFTransformOutput]:
    """Training and serving rows after preprocessing, analyzed on the training rows alone, and the graph."""
    spec = {
        **{name: tf.io.VarLenFeature(tf.string) for name in (*TEXTS, *BEHAVIORS)},
        **{name: tf.io.VarLenFeature(tf.float32) for name in ("age", "price")},
        "clicked": tf.io.VarLenFeature(tf.int64),
    }
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(spec))
    folder = tempfile.mkdtemp()
    with tft_beam.Context(temp_dir=folder):
        training, function = (as_arrays(TRAINING), metadata) | tft_beam.AnalyzeAndTransformDataset(
            lambda inputs: preprocessing_fn(inputs, {"ingest": to_json(CONFIG)})
        )
        serving = ((as_arrays(SERVING), metadata), function) | tft_beam.TransformDataset()
        _ = function | tft_beam.WriteTransformFn(f"{folder}/graph")
    return training[0], serving[0], tft.TFTransformOutput(f"{folder}/graph")


def column(rows: list[dict], name: str) -> list:
    return [np.asarray(entry[name]).tolist() for entry in rows]


def test_ids_of_items_and_behaviors_are_of_one_vocabulary(transformed: tuple) -> None:
    training, serving, _ = transformed
    # Items with those of behaviors: i0 six times, i1 four, old once; so 1, 2 and 3, and 4 to 6 for the unseen.
    assert column(training, "item_id_xf") == [1, 1, 2, 1]
    assert column(serving, "item_id_xf")[1:] == [0, 2]
    assert column(serving, "item_id_xf")[0] in (4, 5, 6)


def test_behaviors_are_the_last_ones_padded_at_the_end(transformed: tuple) -> None:
    training, serving, _ = transformed
    assert column(training, "behavior_item_id_xf") == [[0, 0, 0], [2, 0, 0], [3, 2, 1], [2, 1, 0]]
    unseen, *rest = column(serving, "behavior_item_id_xf")[0]
    assert unseen in (4, 5, 6)
    assert rest == [1, 0]
    assert column(serving, "behavior_item_id_xf")[1:] == [[0, 0, 0], [1, 1, 3]]
    # Categories stand where their items do; the third row's are those of old, i1 and i0.
    items, categories = (column(training, f"behavior_{name}_id_xf")[2] for name in ("item", "category"))
    assert items == categories


def test_an_empty_string_is_missing(transformed: tuple) -> None:
    _, serving, _ = transformed
    assert column(serving, "item_id_xf")[1] == 0
    assert column(serving, "user_id_xf")[1] == 0


def test_unknown_values_fall_into_the_hashed_buckets(transformed: tuple) -> None:
    training, serving, _ = transformed
    # f twice and m once: 1 and 2; two buckets are 3 and 4; none is 0.
    assert column(training, "gender_xf") == [1, 2, 1, 0]
    assert column(serving, "gender_xf")[0] in (3, 4)
    # Oslo came once, less than min_count, so it falls into the only bucket after rome.
    assert column(training, "city_xf") == [1, 1, 2, 0]
    assert column(serving, "city_xf") == [2, 0, 0]


def test_numbers_are_scaled_by_training(transformed: tuple) -> None:
    training, serving, _ = transformed
    # Of 1 and 3 the mean is 2 and the standard deviation 1; a missing one is the mean.
    assert column(training, "age_xf") == [-1.0, 1.0, 0.0, 0.0]
    assert column(serving, "age_xf") == [0.0, 0.0, 2.0]


def test_buckets_are_cut_by_training(transformed: tuple) -> None:
    training, serving, _ = transformed
    # 1, 2 | 10, 11; whatever the cut between 2 and 10 is, numbers outside fall into the outer buckets.
    assert column(training, "price_xf") == [1, 1, 2, 2]
    assert column(serving, "price_xf") == [1, 2, 0]


def test_the_label_is_a_float(transformed: tuple) -> None:
    training, _, graph = transformed
    assert column(training, "clicked") == [1.0, 0.0, 0.0, 0.0]
    assert graph.transformed_feature_spec()["clicked"].dtype == tf.float32


def test_tables_have_a_row_for_every_id(transformed: tuple) -> None:
    _, _, graph = transformed
    rows = {
        feature.name: table_rows(feature, graph)
        for feature in model_features(FEATURES)
        if feature.kind != "numeric"
    }
    # Missing, the known ones, the buckets: 1 + 3 + 3 items, 1 + 2 + 2 genders, 1 + 1 + 1 cities, 1 + 2 prices,
    # 1 + 1 user + 16 buckets, 1 + 3 categories + 16, 1 + 1 shop + 16.
    assert rows == {
        "item_id": 7,
        "gender": 5,
        "city": 3,
        "price": 3,
        "user_id": 18,
        "category_id": 20,
        "shop_id": 18,
    }
