"""The exported recall model, over a real transform, against the model itself."""

import json
import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from models.content.item_embeddings import ItemEmbeddings
from models.content.item_index import ItemIndex
from models.recall.config import RecallConfig
from models.recall.item_clicks import ItemClicks
from models.recall.model import RecallModel
from models.recall.trainer import compile_for_training
from serving.recall_signatures import RecallModule, save_recall_model
from transforms.feature import model_features
from transforms.preprocessing import LABEL, table_rows

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
USER_SIDE = ("user_id", "gender", "age")
# Item 5 has 5 clicks and so on; every tenth has none, and the last was never counted.
CLICKS = {f"i{item}": item if item % 10 else 0 for item in range(NUM_ITEMS - 1)}
VECTORS = make_vectors()
NEW = {"item_id": ["new"], "category_id": ["new"], "shop_id": ["new"], "brand": ["new"], "price": [7.5]}
SIZES: Mapping[str, Any] = {
    "embedding_dim": 4,
    "content_dim": 3,
    "user_units": (6,),
    "item_units": (5,),
    "reorder_units": (4,),
    "num_tiers": 5,
    "num_buckets": 6,
}

Columns = dict[str, tf.Tensor]
Given = Mapping[str, Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class Made:
    """A model with random weights, and what is served of it."""

    model: RecallModel
    module: RecallModule
    transform_layer: tf.Module
    index: ItemIndex | None
    signatures: Mapping[str, Any]

    def serve(self, name: str, columns: Columns) -> np.ndarray:
        (output,) = self.signatures[name](**columns).values()
        return output.numpy()


@pytest.fixture(scope="module")
def transform(tmp_path_factory: pytest.TempPathFactory) -> tft.TFTransformOutput:
    return write_transform(tmp_path_factory.mktemp("analyzed") / "transform", make_rows(120))


@pytest.fixture(scope="module")
def embeddings(tmp_path_factory: pytest.TempPathFactory) -> ItemEmbeddings:
    folder = tmp_path_factory.mktemp("catalog") / "embeddings"
    write_embeddings(folder, VECTORS)
    return ItemEmbeddings.read(str(folder), tuple(DIMS))


@pytest.fixture(scope="module")
def ids(transform: tft.TFTransformOutput) -> Made:
    """Of IDs alone."""
    return make(transform, "id")


@pytest.fixture(scope="module")
def whole(transform: tft.TFTransformOutput, embeddings: ItemEmbeddings) -> Made:
    """With both experts, gates and reordering."""
    return make(transform, "feature_conditional_output", embeddings)


def make(transform: tft.TFTransformOutput, fusion: str, embeddings: ItemEmbeddings | None = None) -> Made:
    features = model_features(INGEST.features)
    sizes = {f.name: table_rows(f, transform) for f in features if f.kind != "numeric"}
    config = RecallConfig(fusion, **SIZES)
    model = RecallModel(features, sizes, config, embeddings.shapes if embeddings else None)
    compile_for_training(model, config)
    model.optimizer.build(model.trainable_variables)
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=weight.shape) * 0.5 for weight in model.get_weights()])
    index = None
    if embeddings:
        model.embeddings.assign(embeddings.vectors)
        index = ItemIndex(embeddings.item_ids, embeddings.rows, MAX_BEHAVIORS)
    layer = transform.transform_features_layer()
    spec = {name: column for name, column in SPEC.items() if name != LABEL}
    clicks = ItemClicks(pa.array(list(CLICKS)), np.array(list(CLICKS.values())))
    module = RecallModule(model, layer, spec, features, MAX_BEHAVIORS, clicks, index)
    return Made(model, module, layer, index, module.signatures())


def transformed(made: Made, rows: Sequence[Row]) -> dict[str, tf.Tensor]:
    """What the model reads of whole examples, as in training."""
    raw = tf.io.parse_example([serialize(row) for row in rows], SPEC)
    found = dict(made.transform_layer(raw))
    found["item_clicks"] = tf.constant([CLICKS.get(row["item_id"][0], 0) for row in rows], tf.int64)
    return found | ({} if made.index is None else made.index.find_in_examples(raw))


def user_columns(
    made: Made, users: Sequence[Row], given: Given | None = None, width: int | None = None
) -> Columns:
    """The inputs of serving_default."""
    columns = {
        name: tf.constant([(user[name] or [""])[0] for user in users]) for name in ("user_id", "gender")
    }
    columns["age"] = tf.constant([user["age"][0] for user in users], tf.int64)
    width = max(len(user[BEHAVIORS[0]]) for user in users) if width is None else width
    for name in BEHAVIORS:
        padded = [user[name] + [""] * (width - len(user[name])) for user in users]
        columns[name] = tf.constant(padded, tf.string, (len(users), width))
    return columns | new_columns(made, given)


def new_columns(made: Made, given: Given | None) -> Columns:
    """`given`: vectors by modality, by item id."""
    if made.index is None:
        return {}
    given = given or {}
    columns = {"new_item_id": tf.constant(list(given), tf.string, (len(given),))}
    for modality, dim in DIMS.items():
        found = [vectors.get(modality, np.zeros(dim)) for vectors in given.values()]
        columns[f"new_{modality}_embedding"] = tf.constant(found, tf.float32, (len(given), dim))
    return columns


def item_columns(made: Made, items: Sequence[Row], given: Given | None = None) -> Columns:
    """The inputs of item_vectors."""
    columns = {}
    for name in ITEM_SIDE:
        missing = math.nan if name == "price" else ""
        dtype = tf.float32 if name == "price" else tf.string
        columns[name] = tf.constant([(item[name] or [missing])[0] for item in items], dtype, (len(items),))
    for modality, dim in DIMS.items() if made.index is not None else ():
        own = [(given or {}).get(item["item_id"][0], {}).get(modality, np.zeros(dim)) for item in items]
        columns[f"{modality}_embedding"] = tf.constant(own, tf.float32, (len(items), dim))
    return columns


def reorder_columns(
    made: Made,
    behaviors: Sequence[str],
    item_ids: Sequence[str],
    scores: Sequence[float],
    given: Given | None = None,
) -> Columns:
    return {
        "behavior_item_id": tf.constant([list(behaviors)], tf.string, (1, len(behaviors))),
        "item_id": tf.constant(list(item_ids), tf.string, (len(item_ids),)),
        "score": tf.constant(scores, tf.float32, (len(item_ids),)),
    } | new_columns(made, given)


def of_item(item: int) -> dict[str, np.ndarray]:
    """The vectors of an item of the catalog."""
    return {name: vectors[item] for name, vectors in VECTORS.items() if vectors[item] is not None}


USERS = [make_row(1, [7]), make_row(2, []), make_row(3, [3, 9, 28]), make_row(4, [4, 8, 12, 16])]
CATALOG = [make_item(item) for item in range(NUM_ITEMS)]


@pytest.mark.parametrize("name", ["ids", "whole"])
def test_user_vectors_are_the_models(name: str, request: pytest.FixtureRequest) -> None:
    made = request.getfixturevalue(name)
    served = made.serve("serving_default", user_columns(made, USERS))
    expected = made.model.user_vector(transformed(made, USERS)).numpy()
    assert served.dtype == np.float32 and served.shape == (4, made.model.vector_dim)
    np.testing.assert_allclose(served, expected, atol=1e-5)
    assert served.std(axis=0).min() > 1e-3  # the users do differ in every place


@pytest.mark.parametrize("name", ["ids", "whole"])
def test_item_vectors_are_the_models(name: str, request: pytest.FixtureRequest) -> None:
    made = request.getfixturevalue(name)
    served = made.serve("item_vectors", item_columns(made, CATALOG))
    rows = [make_row(1, []) | item for item in CATALOG]
    assert served.dtype == np.float32 and served.shape == (NUM_ITEMS, made.model.vector_dim)
    np.testing.assert_allclose(served, made.model.item_vector(transformed(made, rows)).numpy(), atol=1e-5)
    assert served.std(axis=0).min() > 1e-3


@pytest.mark.parametrize(
    "places",
    [
        (0, 1, 2, 3, 4, 5),
        (2, 3, 4, 7, 8, 9),
        (0, 2, 4, 6, 8, 9),
        (1, 3, 5, 7, 8, 10),
    ],
    ids=["behind", "before and behind", "between", "everywhere"],
)
def test_padding_may_stand_anywhere_and_the_last_behaviors_count(
    whole: Made, places: tuple[int, ...]
) -> None:
    # Six behaviors at these places of eleven, beside a user with one.
    longer = make_row(2, [11, 12, 3, 9, 28, 4])
    padded = {name: [""] * 11 for name in BEHAVIORS}
    for name in BEHAVIORS:
        for place, value in zip(places, longer[name], strict=True):
            padded[name][place] = value
    served = whole.serve("serving_default", user_columns(whole, [longer | padded, USERS[0]]))
    compact = [make_row(2, [3, 9, 28, 4]), USERS[0]]
    expected = whole.serve("serving_default", user_columns(whole, compact))
    np.testing.assert_allclose(served, expected, atol=1e-6)
    np.testing.assert_allclose(served, whole.model.user_vector(transformed(whole, compact)), atol=1e-5)
    first_ones = whole.serve("serving_default", user_columns(whole, [make_row(2, [11, 12, 3, 9]), USERS[0]]))
    assert np.abs(first_ones - served)[0].max() > 1e-3


def test_a_behavior_that_lacks_its_item_is_none_also_where_it_has_a_shop(whole: Made) -> None:
    odd = make_row(2, []) | {
        "behavior_item_id": ["", "i3", "", "i28"],
        "behavior_category_id": ["c1", "c3", "", "c3"],
        "behavior_shop_id": ["s4", "s3", "s1", ""],
    }
    served = whole.serve("serving_default", user_columns(whole, [odd]))
    expected = whole.serve("serving_default", user_columns(whole, [make_row(2, [3, 28])]))
    np.testing.assert_allclose(served, expected, atol=1e-6)


@pytest.mark.parametrize("name", ["ids", "whole"])
@pytest.mark.parametrize("width", [0, 3])
def test_users_without_behaviors_and_unknown_users(
    name: str, width: int, request: pytest.FixtureRequest
) -> None:
    made = request.getfixturevalue(name)
    unknown = make_row(1, []) | {"user_id": ["nobody"], "gender": ["x"]}
    nothing = make_row(1, []) | {"user_id": [""], "gender": []}
    served = made.serve("serving_default", user_columns(made, [USERS[1], unknown, nothing], width=width))
    assert np.isfinite(served).all()
    expected = made.model.user_vector(transformed(made, [USERS[1], unknown, nothing | {"user_id": []}]))
    np.testing.assert_allclose(served, expected, atol=1e-5)


def test_behaviors_that_nobody_knows(whole: Made) -> None:
    user = make_row(1, []) | {name: ["nowhere", "neither"] for name in BEHAVIORS}
    served = whole.serve("serving_default", user_columns(whole, [user]))
    np.testing.assert_allclose(served, whole.model.user_vector(transformed(whole, [user])), atol=1e-5)
    # They have no embedding, so that the content expert knows as little as of a user without behaviors.
    none = whole.serve("serving_default", user_columns(whole, [USERS[1]]))
    np.testing.assert_array_equal(served[:, 4:], none[:, 4:])


@pytest.mark.parametrize("name", ["ids", "whole"])
@pytest.mark.parametrize("width", [0, 2])
def test_no_users_and_no_items(name: str, width: int, request: pytest.FixtureRequest) -> None:
    made = request.getfixturevalue(name)
    columns = user_columns(made, USERS[:1], width=width + 1)
    columns = {key: column if key.startswith("new_") else column[:0] for key, column in columns.items()}
    columns |= {key: columns[key][:, :width] for key in BEHAVIORS}
    assert made.serve("serving_default", columns).shape == (0, made.model.vector_dim)
    assert made.serve("item_vectors", item_columns(made, [])).shape == (0, made.model.vector_dim)


def test_an_item_that_training_never_saw_has_a_vector(whole: Made) -> None:
    served = whole.serve("item_vectors", item_columns(whole, [NEW, make_item(3)]))
    np.testing.assert_allclose(
        served,
        whole.model.item_vector(transformed(whole, [make_row(1, []) | NEW, make_row(3, [])])),
        atol=1e-5,
    )
    # Without an embedding its content is nothing.
    assert np.abs(served[0, :4]).max() > 1e-3
    np.testing.assert_array_equal(served[0, 4:], 0)


def test_an_embedding_that_is_handed_over_makes_a_new_item_like_the_one_that_has_it(whole: Made) -> None:
    # Item 10 has no clicks, as the new one, so that both have the same gates. Of any length: it is brought to 1.
    given = {"new": {name: 2.5 * vector for name, vector in of_item(10).items()}}
    served = whole.serve("item_vectors", item_columns(whole, [NEW, make_item(10)], given))
    np.testing.assert_allclose(served[0, 4:], served[1, 4:], atol=1e-6)
    assert np.abs(served[0, 4:]).max() > 1e-2
    assert np.abs(served[0, :4] - served[1, :4]).max() > 1e-2


def test_an_embedding_that_has_changed_is_taken_and_zeros_are_none(whole: Made) -> None:
    given = {"i5": of_item(12)}
    changed = whole.serve("item_vectors", item_columns(whole, [make_item(5)], given))
    saved = whole.serve("item_vectors", item_columns(whole, [make_item(5)]))
    assert np.abs(changed - saved)[0, 4:].max() > 1e-2
    np.testing.assert_array_equal(changed[0, :4], saved[0, :4])
    # An item with the same clicks and that embedding: 5 and 6 are both in the bucket of 4 up to 7.
    own = whole.serve("item_vectors", item_columns(whole, [make_item(6)], {"i6": of_item(12)}))
    np.testing.assert_allclose(changed[0, 4:], own[0, 4:], atol=1e-6)


def test_new_items_among_the_behaviors(whole: Made) -> None:
    user = make_row(1, [3]) | {
        "behavior_item_id": ["i3", "new"],
        "behavior_category_id": ["c3", "new"],
        "behavior_shop_id": ["s3", "new"],
    }
    others = [make_row(1, [3]), make_row(2, [9])]
    given = {"other": of_item(20), "new": of_item(17), "third": of_item(23)}
    columns = user_columns(whole, [user, *others], given)
    served = whole.serve("serving_default", columns)
    without = whole.serve("serving_default", user_columns(whole, [user, *others]))
    assert np.abs(served - without)[0, 4:].max() > 1e-2
    # The new embedding is content alone, and nothing to users without that item.
    np.testing.assert_allclose(served[0, :4], without[0, :4], atol=1e-6)
    np.testing.assert_allclose(served[1:], without[1:], atol=1e-6)
    # As if the user had behaved to an item that the model was saved with and that has this embedding.
    same = whole.serve("serving_default", user_columns(whole, [make_row(1, [3, 17])]))
    np.testing.assert_allclose(served[0, 4:], same[0, 4:], atol=1e-6)


def test_new_embeddings_of_one_modality_leave_the_other(whole: Made) -> None:
    users = [make_row(1, [3])]
    image = {"image": of_item(17)["image"]}
    served = whole.serve("serving_default", user_columns(whole, users, {"i3": image}))
    both = {"i3": image | {"text": of_item(3)["text"]}}
    np.testing.assert_allclose(
        served, whole.serve("serving_default", user_columns(whole, users, both)), atol=1e-6
    )
    assert np.abs(served - whole.serve("serving_default", user_columns(whole, users)))[0, 4:].max() > 1e-2


def test_an_empty_new_id_is_nobodys(whole: Made) -> None:
    users = [make_row(1, [3]), make_row(2, [])]
    served = whole.serve("serving_default", user_columns(whole, users, {"": of_item(17)}, width=4))
    np.testing.assert_allclose(
        served, whole.serve("serving_default", user_columns(whole, users, width=4)), atol=1e-6
    )


def scores_of(made: Made, user: Row) -> tuple[np.ndarray, np.ndarray]:
    """The inner products of the catalog, and what the model makes of them, by the model itself."""
    inputs = transformed(made, [user | item for item in CATALOG])
    own = {name: values[:1] for name, values in inputs.items()}
    vectors = made.model.item_vector(inputs).numpy()
    return vectors @ made.model.user_vector(own).numpy()[0], made.model.reorder_score(own, inputs).numpy()[0]


@pytest.mark.parametrize("user", USERS, ids=["one", "none", "three", "four"])
def test_reordering_adds_what_the_histograms_say(whole: Made, user: Row) -> None:
    inner, whole_scores = scores_of(whole, user)
    served = whole.serve(
        "reorder",
        reorder_columns(whole, user["behavior_item_id"], [f"i{n}" for n in range(NUM_ITEMS)], inner),
    )
    np.testing.assert_allclose(served, whole_scores, atol=1e-5)
    # What is handed over is added to, whatever it is.
    again = whole.serve(
        "reorder", reorder_columns(whole, user["behavior_item_id"], ["i4", "i9"], [100.0, -3.0])
    )
    np.testing.assert_allclose(again, (whole_scores - inner)[[4, 9]] + [100, -3], atol=1e-4)
    if user["behavior_item_id"]:
        assert (served - inner).std() > 1e-3


def test_padding_and_the_number_of_behaviors_in_reordering(whole: Made) -> None:
    item_ids = [f"i{n}" for n in range(NUM_ITEMS)]
    behaviors = ["i11", "", "i3", "i9", "", "i28", "i5", ""]
    padded, compact, first = (
        whole.serve("reorder", reorder_columns(whole, ids, item_ids, np.zeros(NUM_ITEMS)))
        for ids in (behaviors, ["i3", "i9", "i28", "i5"], ["i11", "i3", "i9", "i28"])
    )
    np.testing.assert_allclose(padded, compact, atol=1e-6)
    assert np.abs(padded - first).max() > 1e-3


@pytest.mark.parametrize("behaviors", [[], ["", ""], ["nowhere"]])
def test_reordering_for_a_user_of_whom_nothing_is_known(whole: Made, behaviors: list[str]) -> None:
    item_ids = ["i1", "i7", "i0", "nowhere", ""]
    served = whole.serve("reorder", reorder_columns(whole, behaviors, item_ids, [1.0, 2.0, 3.0, 4.0, 5.0]))
    # The histograms are empty, so that all have the same added and the order stays.
    np.testing.assert_allclose(np.diff(served), 1, atol=1e-5)


@pytest.mark.parametrize("behaviors", [[], ["i3", "i9"]])
def test_no_candidates_are_reordered_to_none(whole: Made, behaviors: list[str]) -> None:
    assert whole.serve("reorder", reorder_columns(whole, behaviors, [], [])).shape == (0,)


def test_new_items_among_candidates_and_behaviors_of_reordering(whole: Made) -> None:
    given = {"new": of_item(17), "second": of_item(20)}
    behaviors, item_ids = ["i3", "second"], ["new", "i5", "second"]
    served = whole.serve("reorder", reorder_columns(whole, behaviors, item_ids, np.zeros(3), given))
    same = whole.serve("reorder", reorder_columns(whole, ["i3", "i20"], ["i17", "i5", "i20"], np.zeros(3)))
    np.testing.assert_allclose(served, same, atol=1e-6)
    without = whole.serve("reorder", reorder_columns(whole, behaviors, item_ids, np.zeros(3)))
    assert np.abs(served - without).min() > 1e-4


@pytest.mark.parametrize("user", [USERS[1], USERS[3]], ids=["none", "four"])
def test_stages_over_the_whole_catalog_are_exact_reordering(whole: Made, user: Row) -> None:
    served = whole.serve("item_vectors", item_columns(whole, CATALOG))
    inner = served @ whole.serve("serving_default", user_columns(whole, [user]))[0]
    retrieved = np.argsort(-inner)
    reordered = whole.serve(
        "reorder",
        reorder_columns(whole, user["behavior_item_id"], [f"i{n}" for n in retrieved], inner[retrieved]),
    )
    stages = retrieved[np.argsort(-reordered)]
    exact = scores_of(whole, user)[1]
    # By score: two items that are as good as each other may change places.
    np.testing.assert_allclose(exact[stages], np.sort(exact)[::-1], atol=1e-5)
    if user["behavior_item_id"]:
        assert stages.tolist() != retrieved.tolist()


def test_what_each_fusion_has(
    ids: Made, whole: Made, transform: tft.TFTransformOutput, embeddings: ItemEmbeddings
) -> None:
    def inputs(made: Made, name: str) -> set[str]:
        return set(made.signatures[name].structured_input_signature[1])

    new = {"new_item_id", "new_image_embedding", "new_text_embedding"}
    assert set(ids.signatures) == {"serving_default", "item_vectors"}
    assert set(whole.signatures) == {"serving_default", "item_vectors", "reorder"}
    assert inputs(ids, "serving_default") == {*USER_SIDE, *BEHAVIORS}
    assert inputs(whole, "serving_default") == {*USER_SIDE, *BEHAVIORS, *new}
    assert inputs(ids, "item_vectors") == set(ITEM_SIDE)
    assert inputs(whole, "item_vectors") == {*ITEM_SIDE, "image_embedding", "text_embedding"}
    assert inputs(whole, "reorder") == {"behavior_item_id", "item_id", "score", *new}
    assert set(make(transform, "conditional_output", embeddings).signatures) == set(ids.signatures)


def test_content_alone(transform: tft.TFTransformOutput, embeddings: ItemEmbeddings) -> None:
    made = make(transform, "content", embeddings)
    served = made.serve("serving_default", user_columns(made, USERS))
    assert served.shape == (4, 3)
    np.testing.assert_allclose(served, made.model.user_vector(transformed(made, USERS)), atol=1e-5)
    np.testing.assert_array_equal(served[1], 0)  # without behaviors there is nothing to know
    # Items 7 and 8 lack one of the two modalities, item 0 both.
    items = made.serve("item_vectors", item_columns(made, CATALOG))
    np.testing.assert_array_equal(items[0], 0)
    assert (np.linalg.norm(items[1:], axis=1) > 1e-3).all()


STRANGER = """
import json, sys
import tensorflow as tf
signatures = tf.saved_model.load(sys.argv[1]).signatures
asked = json.load(open(sys.argv[2]))
result = {}
for name, columns in asked.items():
    inputs = {key: tf.constant(values, dtype, shape) for key, (values, dtype, shape) in columns.items()}
    (output,) = signatures[name.split(":")[0]](**inputs).values()
    result[name] = output.numpy().tolist()
own = [name for name in ("models", "serving", "transforms") if name in sys.modules]
print(json.dumps([result, own]))
"""


def plain(tensor: tf.Tensor) -> tuple[list, str, list[int]]:
    values = tensor.numpy()
    return (
        (values.astype(str) if values.dtype == object else values).tolist(),
        tensor.dtype.name,
        list(values.shape),
    )


@pytest.mark.parametrize("name", ["ids", "whole"])
def test_loads_in_a_process_without_this_project(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    made = request.getfixturevalue(name)
    save_recall_model(made.module, str(tmp_path / "model"))
    given = {"new": of_item(17)} if name == "whole" else None
    asked = {
        "serving_default": user_columns(made, USERS, given),
        "item_vectors": item_columns(made, [make_item(1), make_item(6), NEW], given),
    }
    # Of nobody with a behavior there is no column to multiply with.
    nobody = [make_row(1, []), make_row(2, [])]
    asked["serving_default:no behaviors"] = user_columns(made, nobody, given, width=0)
    if name == "whole":
        asked["reorder:no behaviors"] = reorder_columns(made, [], ["i4", "i5"], [0.5, 1.5])
        asked["reorder"] = reorder_columns(made, ["i3", "new"], ["i4", "new"], [0.5, 1.5], given)
    written = {key: {one: plain(tensor) for one, tensor in own.items()} for key, own in asked.items()}
    (tmp_path / "asked.json").write_text(json.dumps(written), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", "-c", STRANGER, "model", "asked.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result, own = json.loads(done.stdout.splitlines()[-1])
    assert own == [] and set(result) == set(asked)
    for key, columns in asked.items():
        name = key.split(":")[0]
        expected = made.serve(name, columns)
        np.testing.assert_allclose(result[key], expected, atol=1e-6)
        values = {column: tensor.numpy() for column, tensor in columns.items()}
        (found,) = session_model.run_in_session(str(tmp_path / "model"), name, values).values()
        np.testing.assert_allclose(found, expected, atol=1e-6)
    # The optimizer is not exported: nothing is saved but what the model itself has, and its items' rows.
    saved = tf.train.list_variables(str(tmp_path / "model/variables/variables"))
    matrices = sorted(tuple(shape) for _, shape in saved if len(shape) == 2)
    assert matrices == sorted(tuple(v.shape) for v in made.model.variables if len(v.shape) == 2)
