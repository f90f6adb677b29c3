"""The exported click-through-rate model, loaded as a stranger would load it."""

import json
import math
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from models.content.item_embeddings import ItemEmbeddings
from models.content.item_index import ItemIndex
from models.ctr.config import CtrConfig
from models.ctr.model import CtrModel
from models.ctr.trainer import compile_for_training
from models.make.config import MakeConfig
from serving.signatures import save_ctr_model
from transforms.feature import model_features
from transforms.preprocessing import table_rows

sys.path.append(str(Path(__file__).resolve().parents[2] / "support"))
import session_model
from made_clicks import (
    BEHAVIORS,
    DIMS,
    INGEST,
    MAX_BEHAVIORS,
    NUM_ITEMS,
    SPEC,
    Row,
    make_item,
    make_row,
    make_rows,
    make_vectors,
    serialize,
    write_embeddings,
    write_transform,
)

ITEM_SIDE = ("item_id", "category_id", "shop_id", "brand", "price")


@dataclass(frozen=True)
class Exported:
    """A saved model and what it was made from."""

    directory: Path
    model: CtrModel
    transform_layer: tf.Module
    signatures: Mapping


@pytest.fixture(scope="module")
def transform(tmp_path_factory: pytest.TempPathFactory) -> tft.TFTransformOutput:
    return write_transform(tmp_path_factory.mktemp("analyzed") / "transform", make_rows(120))


@pytest.fixture(scope="module")
def embeddings(tmp_path_factory: pytest.TempPathFactory) -> ItemEmbeddings:
    folder = tmp_path_factory.mktemp("catalog") / "embeddings"
    write_embeddings(folder, make_vectors())
    return ItemEmbeddings.read(str(folder), tuple(DIMS))


@pytest.fixture(scope="module")
def exported(transform: tft.TFTransformOutput, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """Of IDs alone."""
    return _export(transform, tmp_path_factory.mktemp("ids") / "model", "id")


@pytest.fixture(scope="module")
def content(
    transform: tft.TFTransformOutput, embeddings: ItemEmbeddings, tmp_path_factory: pytest.TempPathFactory
) -> Exported:
    """With SimTier, MAKE and embeddings."""
    return _export(transform, tmp_path_factory.mktemp("content") / "model", "simtier_make", embeddings)


@pytest.fixture(scope="module")
def beside_ids(
    transform: tft.TFTransformOutput, embeddings: ItemEmbeddings, tmp_path_factory: pytest.TempPathFactory
) -> Exported:
    """With each behavior's embeddings beside its ids."""
    return _export(transform, tmp_path_factory.mktemp("vector") / "model", "vector", embeddings)


def _export(
    transform: tft.TFTransformOutput,
    directory: Path,
    integration: str,
    embeddings: ItemEmbeddings | None = None,
) -> Exported:
    features = model_features(INGEST.features)
    sizes = {f.name: table_rows(f, transform) for f in features if f.kind != "numeric"}
    config = CtrConfig(integration, num_tiers=5, embedding_dim=4, attention_units=(6,), mlp_units=(8,))
    make = MakeConfig(attention_units=(4,), mlp_units=(6,), projection_dim=4)
    model = CtrModel(features, sizes, config, embeddings.shapes if embeddings else None, make)
    compile_for_training(model, config)
    model.optimizer.build(model.trainable_variables)
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=weight.shape) * 0.5 for weight in model.get_weights()])
    index = None
    if embeddings:
        model.embeddings.assign(embeddings.vectors)
        index = ItemIndex(embeddings.item_ids, embeddings.rows, MAX_BEHAVIORS)
    transform_layer = transform.transform_features_layer()
    save_ctr_model(model, transform_layer, SPEC, features, MAX_BEHAVIORS, str(directory), index)
    return Exported(directory, model, transform_layer, tf.saved_model.load(str(directory)).signatures)


CANDIDATES = [*range(28), 3]
# The last candidate is an item, of a category, shop and brand, that the analysis never saw.
NEW = {"item_id": ["new"], "category_id": ["new"], "shop_id": ["new"], "brand": ["new"], "price": [7.5]}


def _candidate_rows() -> list[Row]:
    return [*(make_item(item) for item in CANDIDATES), NEW]


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
    examples = tf.constant([serialize(row) for row in rows])
    return exported.signatures["serving_default"](examples=examples)["probabilities"].numpy()


def _by_columns(exported: Exported, columns: dict[str, tf.Tensor]) -> np.ndarray:
    return exported.signatures["score_candidates"](**columns)["probabilities"].numpy()


@pytest.mark.parametrize("behaviors", [[], [7], [3, 9, 28], [4, 8, 12, 16]], ids=len)
def test_both_signatures_agree(exported: Exported, behaviors: list[int]) -> None:
    user, candidates = make_row(1, behaviors), _candidate_rows()
    scored = _by_columns(exported, _columns(user, candidates))
    assert scored.dtype == np.float32 and scored.shape == (30,)
    np.testing.assert_allclose(scored, _by_examples(exported, user, candidates), atol=1e-5)
    assert scored.std() > 0.01  # the candidates do differ


def test_serving_default_equals_transform_and_model(exported: Exported) -> None:
    rows = [make_row(number, [number % 30, 5]) for number in range(20)]
    raw = tf.io.parse_example([serialize(row) for row in rows], SPEC)
    logits = np.array(exported.model(exported.transform_layer(raw)))
    examples = tf.constant([serialize(row) for row in rows])
    served = exported.signatures["serving_default"](examples=examples)["probabilities"]
    np.testing.assert_allclose(served, 1 / (1 + np.exp(-logits)), atol=1e-6)


def test_label_may_be_missing_and_does_not_matter(exported: Exported) -> None:
    row = make_row(5, [1, 2])
    unlabeled = {name: values for name, values in row.items() if name not in ("clicked", "timestamp")}
    examples = tf.constant([serialize(r) for r in (row, row | {"clicked": [0]}, unlabeled)])
    served = exported.signatures["serving_default"](examples=examples)["probabilities"].numpy()
    assert served[0] == served[1] == served[2]


def test_the_last_behaviors_count(exported: Exported) -> None:
    user, candidates = make_row(2, [3, 9, 28, 4]), _candidate_rows()
    longer = make_row(2, [11, 12, 13, 3, 9, 28, 4])
    columns = _columns(user, candidates, behaviors=longer)
    np.testing.assert_allclose(
        _by_columns(exported, columns), _by_examples(exported, user, candidates), atol=1e-5
    )
    first_ones = _by_examples(exported, make_row(2, [11, 12, 13, 3]), candidates)
    assert np.abs(first_ones - _by_columns(exported, columns)).max() > 1e-3


def test_a_behavior_without_an_item_is_none(exported: Exported) -> None:
    user, candidates = make_row(2, [3, 28]), _candidate_rows()
    behaviors = {
        "behavior_item_id": ["", "i3", "", "i28", "", ""],
        "behavior_category_id": ["c1", "c3", "", "c3", "", ""],
        "behavior_shop_id": ["", "s3", "s1", "", "", ""],
    }
    scored = _by_columns(exported, _columns(user, candidates, behaviors=behaviors))
    np.testing.assert_allclose(scored, _by_examples(exported, user, candidates), atol=1e-5)


def test_missing_price_is_not_a_price_of_zero(exported: Exported) -> None:
    user = make_row(1, [7])
    missing, free = (make_item(6) | {"price": price} for price in ([], [0.0]))
    scored = _by_columns(exported, _columns(user, [missing, free]))
    np.testing.assert_allclose(scored, _by_examples(exported, user, [missing, free]), atol=1e-5)
    assert abs(scored[0] - scored[1]) > 1e-4


def test_a_user_and_items_that_training_never_saw_are_scored(exported: Exported) -> None:
    user = make_row(1, [7]) | {"user_id": ["new"], "gender": ["new"]}
    scored = _by_columns(exported, _columns(user, [NEW, make_item(3)]))
    assert np.isfinite(scored).all() and scored[0] != scored[1]
    np.testing.assert_allclose(scored, _by_examples(exported, user, [NEW, make_item(3)]), atol=1e-5)


def test_examples_without_any_value_are_scored(exported: Exported) -> None:
    examples = tf.constant([serialize({}), serialize({name: [] for name in SPEC})])
    served = exported.signatures["serving_default"](examples=examples)["probabilities"].numpy()
    assert np.isfinite(served).all() and served[0] == served[1]


def test_no_candidates_give_no_scores(exported: Exported) -> None:
    columns = _columns(make_row(1, [7]), _candidate_rows())
    columns |= {name: columns[name][:0] for name in ITEM_SIDE}
    assert _by_columns(exported, columns).shape == (0,)


VECTORS = make_vectors()
Given = Mapping[str, tuple[np.ndarray, np.ndarray]]


def _catalog_vector(modality: str, item_id: str) -> np.ndarray:
    """What the model was saved with of an item; zeros where it was saved with nothing."""
    known = item_id[:1] == "i" and item_id[1:].isdigit() and int(item_id[1:]) < NUM_ITEMS
    vector = VECTORS[modality][int(item_id[1:])] if known else None
    return np.zeros(DIMS[modality], np.float32) if vector is None else vector


def _given(user: Row, candidates: list[Row], vector: Callable[[str, str], np.ndarray]) -> Given:
    """Embeddings of the candidates and of the behaviors, by modality."""

    def stack(modality: str, item_ids: list[str]) -> np.ndarray:
        found = [vector(modality, item_id) for item_id in item_ids]
        return np.array(found, np.float32).reshape(len(item_ids), DIMS[modality])

    item_ids = [row["item_id"][0] for row in candidates]
    return {name: (stack(name, item_ids), stack(name, user["behavior_item_id"])) for name in DIMS}


def _with_embeddings(columns: dict[str, tf.Tensor], given: Given) -> dict[str, tf.Tensor]:
    handed_over = {}
    for modality, (candidates, behaviors) in given.items():
        handed_over[f"{modality}_embedding"] = tf.constant(candidates)
        handed_over[f"behavior_{modality}_embedding"] = tf.constant(behaviors[None])
    return columns | handed_over


def _score_content(
    content: Exported, user: Row, candidates: list[Row], vector: Callable[[str, str], np.ndarray]
) -> np.ndarray:
    columns = _columns(user, candidates)
    return _by_columns(content, _with_embeddings(columns, _given(user, candidates, vector)))


def _none(modality: str, item_id: str) -> np.ndarray:
    return np.zeros(DIMS[modality], np.float32)


@pytest.mark.parametrize("vector", [_none, _catalog_vector], ids=["zeros", "catalog's"])
# Items 7 and 14 have no picture, item 8 no text.
@pytest.mark.parametrize("behaviors", [[], [7], [3, 9, 8], [4, 14, 12, 16]], ids=len)
def test_signatures_agree_with_embeddings(
    content: Exported, behaviors: list[int], vector: Callable[[str, str], np.ndarray]
) -> None:
    user, candidates = make_row(1, behaviors), _candidate_rows()
    scored = _score_content(content, user, candidates, vector)
    assert scored.dtype == np.float32 and scored.std() > 0.01
    np.testing.assert_allclose(scored, _by_examples(content, user, candidates), atol=1e-5)


@pytest.mark.parametrize("behaviors", [[], [7]], ids=len)
def test_no_candidates_give_no_scores_with_content(content: Exported, behaviors: list[int]) -> None:
    user, candidates = make_row(1, behaviors), _candidate_rows()
    columns = _with_embeddings(_columns(user, candidates), _given(user, candidates, _catalog_vector))
    columns |= {name: columns[name][:0] for name in (*ITEM_SIDE, *(f"{name}_embedding" for name in DIMS))}
    assert _by_columns(content, columns).shape == (0,)


def test_embeddings_matter(content: Exported) -> None:
    user, candidates = make_row(1, [3, 9]), [make_item(5), make_item(10)]
    rows = [user | candidate for candidate in candidates]
    inputs = dict(content.transform_layer(tf.io.parse_example([serialize(row) for row in rows], SPEC)))
    rows_of_none = {f"{name}_row": tf.zeros([2], tf.int32) for name in DIMS} | {
        f"behavior_{name}_row": tf.zeros([2, MAX_BEHAVIORS], tf.int32) for name in DIMS
    }
    without = 1 / (1 + np.exp(-np.array(content.model(inputs | rows_of_none))))
    assert np.abs(_by_examples(content, user, candidates) - without).min() > 1e-3


def test_an_item_that_the_catalog_lacks_is_scored_by_what_it_is_handed(
    content: Exported, embeddings: ItemEmbeddings
) -> None:
    user = make_row(1, [3, 9, 5])

    # Of any length: it is brought to 1.
    def as_item_3(modality: str, item_id: str) -> np.ndarray:
        return 2.5 * VECTORS[modality][3] if item_id == "new" else _none(modality, item_id)

    scored = _score_content(content, user, [NEW], as_item_3)
    assert abs(scored - _score_content(content, user, [NEW], _none)).item() > 1e-3
    # By hand: the new item's ids with the third item's rows.
    raw = tf.io.parse_example([serialize(user | NEW)], SPEC)
    index = ItemIndex(embeddings.item_ids, embeddings.rows, MAX_BEHAVIORS)
    rows = index.find_in_examples(raw) | {
        f"{name}_row": tf.constant(embeddings.rows[name][3:4]) for name in DIMS
    }
    expected = tf.sigmoid(content.model({**content.transform_layer(raw), **rows}))
    np.testing.assert_allclose(scored, expected, atol=1e-5)


@pytest.mark.parametrize("model", ["content", "beside_ids"])
def test_embeddings_keep_to_their_behaviors(model: str, request: pytest.FixtureRequest) -> None:
    saved: Exported = request.getfixturevalue(model)
    candidates = _candidate_rows()
    # Five real behaviors, of which the last four count, and three without an item in between.
    longer = {
        "behavior_item_id": ["i1", "", "i2", "i3", "", "i14", "i5", ""],
        "behavior_category_id": ["c1", "c4", "c2", "c3", "", "c4", "c0", "c2"],
        "behavior_shop_id": ["s1", "s2", "s2", "s3", "", "s0", "s5", "s1"],
    }
    kept = [2, 3, 5, 6]
    dropped = {name: [values[place] for place in kept] for name, values in longer.items()}
    rng = np.random.default_rng(2)
    given = {
        name: (rng.normal(size=(len(candidates), dim)), rng.normal(size=(8, dim)))
        for name, dim in DIMS.items()
    }
    given = {name: tuple(part.astype(np.float32) for part in parts) for name, parts in given.items()}

    def score(behaviors: Row, places: list[int]) -> np.ndarray:
        columns = _columns(make_row(1, []), candidates, behaviors=behaviors)
        parts = {name: (targets, vectors[places]) for name, (targets, vectors) in given.items()}
        return _by_columns(saved, _with_embeddings(columns, parts))

    expected = score(dropped, kept)
    np.testing.assert_allclose(score(longer, list(range(8))), expected, atol=1e-5)
    assert np.abs(score(dropped, [0, 1, 2, 3]) - expected).max() > 1e-3
    # SimTier and MAKE see a set of embeddings; beside the ids it matters whose an embedding is.
    if model == "beside_ids":
        assert np.abs(score(dropped, [3, 2, 5, 6]) - expected).max() > 1e-3


def test_a_model_of_ids_takes_no_embeddings(exported: Exported, content: Exported) -> None:
    def names(one: Exported) -> set[str]:
        return set(one.signatures["score_candidates"].structured_input_signature[1])

    own = {f"{prefix}{name}_embedding" for prefix in ("", "behavior_") for name in DIMS}
    assert names(content) - names(exported) == own and names(exported) <= names(content)


@pytest.mark.parametrize("model", ["exported", "content"])
def test_a_session_gives_the_same(model: str, request: pytest.FixtureRequest) -> None:
    saved: Exported = request.getfixturevalue(model)
    user, candidates = make_row(1, [3, 9]), [make_item(1), make_item(2), NEW]
    columns = _columns(user, candidates)
    if model == "content":
        columns = _with_embeddings(columns, _given(user, candidates, _none))
    values = {name: tensor.numpy() for name, tensor in columns.items()}
    found = session_model.run_in_session(str(saved.directory), "score_candidates", values)
    np.testing.assert_allclose(found["probabilities"], _by_columns(saved, columns), atol=1e-6)
    examples = np.array([serialize(user | candidate) for candidate in candidates], object)
    found = session_model.run_in_session(str(saved.directory), "serving_default", {"examples": examples})
    np.testing.assert_allclose(found["probabilities"], _by_columns(saved, columns), atol=1e-5)


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


@pytest.mark.parametrize("model", ["exported", "content"])
def test_loads_in_a_process_without_this_project(
    model: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    saved: Exported = request.getfixturevalue(model)
    user, candidates = make_row(1, [3, 9]), [make_item(1), make_item(2), NEW]
    columns = _columns(user, candidates)
    if model == "content":
        columns = _with_embeddings(columns, _given(user, candidates, _none))
    plain = {name: (_plain(tensor.numpy()), tensor.dtype.name) for name, tensor in columns.items()}
    (tmp_path / "columns.json").write_text(json.dumps(plain), encoding="utf-8")
    examples = [serialize(user | candidate) for candidate in candidates]
    (tmp_path / "examples.txt").write_text("\n".join(example.hex() for example in examples), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", "-c", STRANGER, str(saved.directory), "columns.json", "examples.txt"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["own"] == []
    expected = _by_examples(saved, user, candidates)
    np.testing.assert_allclose(result["default"], expected, atol=1e-6)
    np.testing.assert_allclose(result["candidates"], expected, atol=1e-5)
