"""The exported click-through-rate model, loaded as a stranger would load it."""

import json
import math
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

from models.ctr.config import CtrConfig
from models.ctr.model import CtrModel
from models.ctr.trainer import compile_for_training
from serving.signatures import save_ctr_model
from transforms.configuration import to_json
from transforms.feature import Feature, model_features
from transforms.ingest_config import IngestConfig
from transforms.preprocessing import preprocessing_fn, table_rows

MAX_BEHAVIORS = 4
INGEST = IngestConfig(
    features=(
        Feature("gender"),
        Feature("age", kind="bucketized", num_buckets=3),
        Feature("price", kind="numeric", side="item"),
        Feature("brand", side="item", num_oov_buckets=2),
    ),
    max_behaviors=MAX_BEHAVIORS,
)
STRINGS = ("impression_id", "user_id", "item_id", "category_id", "shop_id", "gender", "brand")
BEHAVIORS = ("behavior_item_id", "behavior_category_id", "behavior_shop_id")
SPEC = {name: tf.io.VarLenFeature(tf.string) for name in (*STRINGS, *BEHAVIORS)} | {
    "timestamp": tf.io.VarLenFeature(tf.int64),
    "clicked": tf.io.VarLenFeature(tf.int64),
    "age": tf.io.VarLenFeature(tf.int64),
    "price": tf.io.VarLenFeature(tf.float32),
}
ITEM_SIDE = ("item_id", "category_id", "shop_id", "brand", "price")

Row = dict[str, list]


def _item(item: int) -> Row:
    """A few items have no shop, brand or price."""
    return {
        "item_id": [f"i{item}"],
        "category_id": [f"c{item % 5}"],
        "shop_id": [f"s{item % 7}"] if item % 4 else [],
        "brand": [f"b{item % 3}"] if item % 6 else [],
        "price": [float(item)] if item % 5 else [],
    }


def _row(number: int, behaviors: list[int]) -> Row:
    return _item(number % 30) | {
        "impression_id": [f"x{number}"],
        "user_id": [f"u{number % 9}"],
        "gender": ["f"] if number % 3 else [],
        "age": [20 + number % 40],
        "timestamp": [number],
        "clicked": [number % 2],
        "behavior_item_id": [f"i{item}" for item in behaviors],
        "behavior_category_id": [f"c{item % 5}" for item in behaviors],
        # A missing shop keeps its place as an empty string.
        "behavior_shop_id": [f"s{item % 7}" if item % 4 else "" for item in behaviors],
    }


def _serialize(row: Mapping[str, list]) -> bytes:
    features = {}
    for name, values in row.items():
        dtype = SPEC[name].dtype
        if dtype == tf.string:
            encoded = tf.train.BytesList(value=[value.encode() for value in values])
            features[name] = tf.train.Feature(bytes_list=encoded)
        elif dtype == tf.int64:
            features[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=values))
        else:
            features[name] = tf.train.Feature(float_list=tf.train.FloatList(value=values))
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


@dataclass(frozen=True)
class Exported:
    """A saved model and what it was made from."""

    directory: Path
    model: CtrModel
    transform_layer: tf.Module
    signatures: Mapping


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = tmp_path_factory.mktemp("exported")
    rng = np.random.default_rng(0)
    rows = [_row(n, rng.integers(0, 30, rng.integers(0, MAX_BEHAVIORS + 1)).tolist()) for n in range(120)]
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(SPEC))
    with tft_beam.Context(temp_dir=str(folder / "tmp")):
        analyzed = (rows, metadata) | tft_beam.AnalyzeDataset(
            lambda inputs: preprocessing_fn(inputs, {"ingest": to_json(INGEST)})
        )
        _ = analyzed | tft_beam.WriteTransformFn(str(folder / "transform"))
    transform_output = tft.TFTransformOutput(str(folder / "transform"))
    features = model_features(INGEST.features)
    sizes = {f.name: table_rows(f, transform_output) for f in features if f.kind != "numeric"}
    config = CtrConfig(embedding_dim=4, attention_units=(6,), mlp_units=(8,))
    model = CtrModel(features, sizes, config)
    compile_for_training(model, config)
    model.optimizer.build(model.trainable_variables)
    model.set_weights([rng.normal(size=weight.shape) * 0.5 for weight in model.get_weights()])
    transform_layer = transform_output.transform_features_layer()
    directory = folder / "model"
    save_ctr_model(model, transform_layer, SPEC, features, MAX_BEHAVIORS, str(directory))
    return Exported(directory, model, transform_layer, tf.saved_model.load(str(directory)).signatures)


CANDIDATES = [*range(28), 3]
# The last candidate is an item, of a category, shop and brand, that the analysis never saw.
NEW = {"item_id": ["new"], "category_id": ["new"], "shop_id": ["new"], "brand": ["new"], "price": [7.5]}


def _candidate_rows() -> list[Row]:
    return [*(_item(item) for item in CANDIDATES), NEW]


def _columns(user: Row, candidates: list[Row], behaviors: Row | None = None) -> dict[str, tf.Tensor]:
    """The inputs of score_candidates, an empty string and NaN where a value is missing."""
    columns = {name: tf.constant(user[name] or [""]) for name in ("user_id", "gender")}
    columns["age"] = tf.constant(user["age"], tf.int64)
    for name in BEHAVIORS:
        values = (behaviors or user)[name]
        columns[name] = tf.constant([values], tf.string, shape=(1, len(values)))
    for name in ITEM_SIDE:
        missing = math.nan if name == "price" else ""
        columns[name] = tf.constant([row[name][0] if row[name] else missing for row in candidates])
    return columns


def _by_examples(exported: Exported, user: Row, candidates: list[Row]) -> np.ndarray:
    rows = [user | candidate for candidate in candidates]
    examples = tf.constant([_serialize(row) for row in rows])
    return exported.signatures["serving_default"](examples=examples)["probabilities"].numpy()


def _by_columns(exported: Exported, columns: dict[str, tf.Tensor]) -> np.ndarray:
    return exported.signatures["score_candidates"](**columns)["probabilities"].numpy()


@pytest.mark.parametrize("behaviors", [[], [7], [3, 9, 28], [4, 8, 12, 16]], ids=len)
def test_both_signatures_agree(exported: Exported, behaviors: list[int]) -> None:
    user, candidates = _row(1, behaviors), _candidate_rows()
    scored = _by_columns(exported, _columns(user, candidates))
    assert scored.dtype == np.float32 and scored.shape == (30,)
    np.testing.assert_allclose(scored, _by_examples(exported, user, candidates), atol=1e-5)
    assert scored.std() > 0.01  # the candidates do differ


def test_serving_default_equals_transform_and_model(exported: Exported) -> None:
    rows = [_row(number, [number % 30, 5]) for number in range(20)]
    raw = tf.io.parse_example([_serialize(row) for row in rows], SPEC)
    logits = np.array(exported.model(exported.transform_layer(raw)))
    examples = tf.constant([_serialize(row) for row in rows])
    served = exported.signatures["serving_default"](examples=examples)["probabilities"]
    np.testing.assert_allclose(served, 1 / (1 + np.exp(-logits)), atol=1e-6)


def test_label_may_be_missing_and_does_not_matter(exported: Exported) -> None:
    row = _row(5, [1, 2])
    unlabeled = {name: values for name, values in row.items() if name not in ("clicked", "timestamp")}
    examples = tf.constant([_serialize(r) for r in (row, row | {"clicked": [0]}, unlabeled)])
    served = exported.signatures["serving_default"](examples=examples)["probabilities"].numpy()
    assert served[0] == served[1] == served[2]


def test_the_last_behaviors_count(exported: Exported) -> None:
    user, candidates = _row(2, [3, 9, 28, 4]), _candidate_rows()
    longer = _row(2, [11, 12, 13, 3, 9, 28, 4])
    columns = _columns(user, candidates, behaviors=longer)
    np.testing.assert_allclose(
        _by_columns(exported, columns), _by_examples(exported, user, candidates), atol=1e-5
    )
    first_ones = _by_examples(exported, _row(2, [11, 12, 13, 3]), candidates)
    assert np.abs(first_ones - _by_columns(exported, columns)).max() > 1e-3


def test_a_behavior_without_an_item_is_none(exported: Exported) -> None:
    user, candidates = _row(2, [3, 28]), _candidate_rows()
    behaviors = {
        "behavior_item_id": ["", "i3", "", "i28", "", ""],
        "behavior_category_id": ["c1", "c3", "", "c3", "", ""],
        "behavior_shop_id": ["", "s3", "s1", "", "", ""],
    }
    scored = _by_columns(exported, _columns(user, candidates, behaviors=behaviors))
    np.testing.assert_allclose(scored, _by_examples(exported, user, candidates), atol=1e-5)


def test_missing_price_is_not_a_price_of_zero(exported: Exported) -> None:
    user = _row(1, [7])
    missing, free = (_item(6) | {"price": price} for price in ([], [0.0]))
    scored = _by_columns(exported, _columns(user, [missing, free]))
    np.testing.assert_allclose(scored, _by_examples(exported, user, [missing, free]), atol=1e-5)
    assert abs(scored[0] - scored[1]) > 1e-4


def test_a_user_and_items_that_training_never_saw_are_scored(exported: Exported) -> None:
    user = _row(1, [7]) | {"user_id": ["new"], "gender": ["new"]}
    scored = _by_columns(exported, _columns(user, [NEW, _item(3)]))
    assert np.isfinite(scored).all() and scored[0] != scored[1]
    np.testing.assert_allclose(scored, _by_examples(exported, user, [NEW, _item(3)]), atol=1e-5)


def test_examples_without_any_value_are_scored(exported: Exported) -> None:
    examples = tf.constant([_serialize({}), _serialize({name: [] for name in SPEC})])
    served = exported.signatures["serving_default"](examples=examples)["probabilities"].numpy()
    assert np.isfinite(served).all() and served[0] == served[1]


def test_no_candidates_give_no_scores(exported: Exported) -> None:
    columns = _columns(_row(1, [7]), _candidate_rows())
    columns |= {name: columns[name][:0] for name in ITEM_SIDE}
    assert _by_columns(exported, columns).shape == (0,)


def test_the_optimizer_is_not_exported(exported: Exported) -> None:
    saved = tf.train.list_variables(str(exported.directory / "variables/variables"))
    tables_and_kernels = sorted(tuple(shape) for _, shape in saved if len(shape) == 2)
    assert tables_and_kernels == sorted(tuple(v.shape) for v in exported.model.variables if len(v.shape) == 2)


STRANGER = """
import json, sys
import tensorflow as tf
signatures = tf.saved_model.load(sys.argv[1]).signatures
columns = {
    name: tf.constant(values, dtype)
    for name, (values, dtype) in json.load(open(sys.argv[2])).items()
}
examples = tf.constant([bytes.fromhex(text) for text in open(sys.argv[3]).read().split()])
result = {
    "default": signatures["serving_default"](examples=examples)["probabilities"].numpy().tolist(),
    "candidates": signatures["score_candidates"](**columns)["probabilities"].numpy().tolist(),
    "own": [name for name in ("models", "serving", "transforms") if name in sys.modules],
}
print(json.dumps(result))
"""


def _plain(values: np.ndarray) -> list:
    return (values.astype(str) if values.dtype == object else values).tolist()


def test_loads_in_a_process_without_this_project(exported: Exported, tmp_path: Path) -> None:
    user, candidates = _row(1, [3, 9]), [_item(1), _item(2), NEW]
    columns = {
        name: (_plain(tensor.numpy()), tensor.dtype.name)
        for name, tensor in _columns(user, candidates).items()
    }
    (tmp_path / "columns.json").write_text(json.dumps(columns), encoding="utf-8")
    examples = [_serialize(user | candidate) for candidate in candidates]
    (tmp_path / "examples.txt").write_text("\n".join(example.hex() for example in examples), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", "-c", STRANGER, str(exported.directory), "columns.json", "examples.txt"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["own"] == []
    expected = _by_examples(exported, user, candidates)
    np.testing.assert_allclose(result["default"], expected, atol=1e-6)
    np.testing.assert_allclose(result["candidates"], expected, atol=1e-5)
