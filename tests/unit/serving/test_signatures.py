"""Both signatures of the exported model, with every kind of feature, over a real transform graph."""

import tempfile

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

from models.ctr.config import CtrConfig
from models.ctr.model import CtrModel
from serving.signatures import save_ctr_model
from transforms.configuration import to_json
from transforms.feature import Feature, model_features
from transforms.ingest_config import IngestConfig
from transforms.preprocessing import preprocessing_fn, table_rows

MAX_BEHAVIORS = 3
INGEST = IngestConfig(
    features=(
        Feature("city"),
        Feature("bid", kind="numeric"),
        Feature("price", kind="bucketized", side="item", num_buckets=3),
    ),
    max_behaviors=MAX_BEHAVIORS,
)
ITEM_COLUMNS = ("item_id", "category_id", "shop_id")
SPEC = {
    **{name: tf.io.VarLenFeature(tf.string) for name in ("user_id", "city", *ITEM_COLUMNS)},
    **{f"behavior_{name}": tf.io.VarLenFeature(tf.string) for name in ITEM_COLUMNS},
    **{name: tf.io.VarLenFeature(tf.float32) for name in ("bid", "price")},
    "clicked": tf.io.VarLenFeature(tf.int64),
}


def row(number: int, behaviors: int) -> dict:
    items = [f"i{(number + step) % 5}" for step in range(behaviors)]
    return {
        "user_id": [f"u{number % 3}"],
        "city": [f"c{number % 2}"],
        "item_id": [f"i{number % 5}"],
        "category_id": [f"k{number % 2}"],
        "shop_id": [f"s{number % 3}"],
        "behavior_item_id": items,
        "behavior_category_id": [f"k{int(item[1]) % 2}" for item in items],
        "behavior_shop_id": [f"s{int(item[1]) % 3}" for item in items],
        "bid": [0.5 * number],
        "price": [float(number * number)],
        "clicked": [number % 2],
    }


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The loaded SavedModel of a model with random weights."""
    folder = str(tmp_path_factory.mktemp("signatures"))
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(SPEC))
    config = {"ingest": to_json(INGEST)}
    with tempfile.TemporaryDirectory() as temporary:
        rows = [row(number, number % 4) for number in range(20)]
        with tft_beam.Context(temp_dir=temporary):
            transform = (rows, metadata) | tft_beam.AnalyzeDataset(lambda inputs: preprocessing_fn(inputs, config))
            _ = transform | tft_beam.WriteTransformFn(f"{folder}/transform")
    output = tft.TFTransformOutput(f"{folder}/transform")
    features = model_features(INGEST.features)
    sizes = {feature.name: table_rows(feature, output) for feature in features if feature.kind != "numeric"}
    model = CtrModel(features, sizes, CtrConfig(embedding_dim=4, attention_units=(6,), mlp_units=(8, 4)))
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(scale=0.4, size=weight.shape) for weight in model.get_weights()])
    save_ctr_model(
        model,
        output.transform_features_layer(),
        SPEC,
        features,
        MAX_BEHAVIORS,
        f"{folder}/model",
    )
    return tf.saved_model.load(f"{folder}/model")


def serialize(values: dict) -> bytes:
    example = tf.train.Example()
    for name, value in values.items():
        feature = example.features.feature[name]
        if value and isinstance(value[0], str):
            feature.bytes_list.value.extend(entry.encode() for entry in value)
        elif value and isinstance(value[0], float):
            feature.float_list.value.extend(value)
        else:
            feature.int64_list.value.extend(value)
    return example.SerializeToString()


def default_scores(exported, rows: list[dict]) -> np.ndarray:
    examples = tf.constant([serialize(values) for values in rows])
    return exported.signatures["serving_default"](examples=examples)["probabilities"].numpy()


def candidate_scores(exported, user: dict, items: list[dict]) -> np.ndarray:
    inputs = {name: tf.constant(user[name]) for name in ("user_id", "city", "bid")}
    for name in ITEM_COLUMNS:
        inputs[f"behavior_{name}"] = tf.constant([user[f"behavior_{name}"]], tf.string)
        inputs[name] = tf.constant([item[name][0] for item in items])
    inputs["price"] = tf.constant([item["price"][0] for item in items])
    return exported.signatures["score_candidates"](**inputs)["probabilities"].numpy()


@pytest.mark.parametrize("behaviors", [0, 2, MAX_BEHAVIORS])
def test_score_candidates_equals_serving_default(exported, behaviors):
    user, items = row(1, behaviors), [row(number, 0) for number in range(6)]
    item_side = (*ITEM_COLUMNS, "price")
    rows = [user | {name: item[name] for name in item_side} for item in items]
    expected = default_scores(exported, rows)
    assert np.ptp(expected) > 1e-3
    np.testing.assert_allclose(candidate_scores(exported, user, items), expected, atol=1e-5)


def test_the_latest_behaviors_count(exported):
    long = row(2, 9)
    cut = long | {f"behavior_{name}": long[f"behavior_{name}"][-MAX_BEHAVIORS:] for name in ITEM_COLUMNS}
    items = [row(number, 0) for number in range(4)]
    np.testing.assert_allclose(
        candidate_scores(exported, long, items), candidate_scores(exported, cut, items), atol=1e-6
    )
    np.testing.assert_allclose(default_scores(exported, [long]), default_scores(exported, [cut]), atol=1e-6)


def test_what_training_never_saw_is_scored(exported):
    user = row(1, 2)
    unseen = row(3, 0) | {"item_id": ["never"], "category_id": ["never"], "shop_id": ["never"]}
    scores = candidate_scores(exported, user | {"user_id": ["never"]}, [unseen, row(3, 0)])
    assert np.isfinite(scores).all() and scores[0] != scores[1]


def test_missing_label_and_missing_columns_are_scored(exported):
    scores = default_scores(exported, [{name: [] for name in SPEC}, {"user_id": ["u1"]}])
    assert np.isfinite(scores).all()
