"""Figures against ranks that are worked out by hand, of vectors that are made up."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from components.recall_evaluator.config import RecallEvaluatorConfig
from components.recall_evaluator.measurement import RecallMeasurement, measure
from components.recall_evaluator.recall_inputs import CatalogItems, HeldOutUsers
from components.recall_evaluator.saved_recall import SavedRecall


class Tables(tf.Module):
    """A model that looks its vectors up; what reordering adds depends on the item and on the first behavior."""

    def __init__(
        self,
        items: Mapping[str, Sequence[float]],
        users: Mapping[str, Sequence[float]],
        added: Mapping[tuple[str, str], float] | None,
    ) -> None:
        super().__init__()
        self._item_keys, self._items = tf.constant(list(items)), tf.constant(list(items.values()), tf.float32)
        self._user_keys, self._users = tf.constant(list(users)), tf.constant(list(users.values()), tf.float32)
        self._pairs = tf.constant(["|".join(pair) for pair in added or {"": 0}])
        self._added = tf.constant(list((added or {"": 0}).values()), tf.float32)
        self._reorders = added is not None

    def signatures(self) -> dict[str, Any]:
        texts, one = tf.TensorSpec([None], tf.string), tf.TensorSpec([1, None], tf.string)
        specs: dict[str, tuple[Any, dict[str, tf.TensorSpec]]] = {
            "serving_default": (
                self._embed_users,
                {
                    "user_id": texts,
                    "behavior_item_id": tf.TensorSpec([None, None], tf.string),
                    "new_item_id": texts,
                    "new_image_embedding": tf.TensorSpec([None, 5], tf.float32),
                },
            ),
            "item_vectors": (
                self._embed_items,
                {"item_id": texts, "image_embedding": tf.TensorSpec([None, 5], tf.float32)},
            ),
        }
        if self._reorders:
            score = tf.TensorSpec([None], tf.float32)
            specs["reorder"] = (self._reorder, {"behavior_item_id": one, "item_id": texts, "score": score})
        return {
            name: tf.function(function).get_concrete_function(**columns)
            for name, (function, columns) in specs.items()
        }

    def _embed_users(self, **columns: tf.Tensor) -> dict[str, tf.Tensor]:
        # Nothing is handed over of new items.
        new = tf.cast(tf.size(columns["new_item_id"]), tf.float32)
        new += tf.reduce_sum(columns["new_image_embedding"])
        return {"user_vector": _look_up(self._user_keys, self._users, columns["user_id"]) + new}

    def _embed_items(self, **columns: tf.Tensor) -> dict[str, tf.Tensor]:
        given = tf.reduce_sum(columns["image_embedding"], axis=1, keepdims=True)
        return {"item_vector": _look_up(self._item_keys, self._items, columns["item_id"]) + given}

    def _reorder(self, **columns: tf.Tensor) -> dict[str, tf.Tensor]:
        first = tf.concat([columns["behavior_item_id"][0], [""]], axis=0)[0]
        pairs = tf.strings.join([first, columns["item_id"]], "|")
        is_it = tf.cast(tf.equal(pairs[:, None], self._pairs), tf.float32)
        return {"score": columns["score"] + tf.linalg.matvec(is_it, self._added)}


def _look_up(keys: tf.Tensor, vectors: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
    return tf.matmul(tf.cast(tf.equal(wanted[:, None], keys), tf.float32), vectors)


# Scores are the products of a user's and an item's numbers.
ITEMS = {"a": [1, 0], "b": [0, 1], "c": [3, 2], "d": [2, 3], "e": [-1, 5]}
# 50, 30, 15, 5 and 0 clicks; "e" was never shown. 50 + 30 are 80 of 100 clicks: with a head of 0.7 both are in it.
CLICKS = [30, 5, 50, 15, 0]
IS_NEW = [False, False, False, False, True]
USERS = {"x": [1, 0], "y": [0, 1], "z": [1, 1]}
# By user: x: c 3, d 2, a 1, b 0, e -1; y: e 5, d 3, c 2, b 1, a 0; z: c 5 and d 5, e 4, a 1 and b 1.
#                     user, behaviors, clicked item
ASKED = [
    ("x", [], "a"),  # retrieved third
    ("x", ["a"], "b"),  # fourth
    ("y", [], "e"),  # first
    ("y", ["c"], "d"),  # second
    ("z", [], "d"),  # second: of equal scores the lower place comes first
    ("z", ["a", "b"], "gone"),  # the catalog lacks it
]
# With "a" as first behavior "b" is worth 10 more, with "c" "a" 4 more and "d" 10 less.
ADDED = {("a", "b"): 10.0, ("c", "a"): 4.0, ("c", "d"): -10.0}
NEVER = np.iinfo(np.int64).max


def catalog(count: int = 5) -> CatalogItems:
    ids = pa.array(list(ITEMS)[:count])
    return CatalogItems(
        ids,
        {"item_id": ids.cast(pa.binary()).to_numpy(zero_copy_only=False)},
        np.array(CLICKS[:count]),
        np.array(IS_NEW[:count]),
    )


def clicks(asked: Sequence[tuple[str, list[str], str]], items: CatalogItems) -> HeldOutUsers:
    width = max((len(behaviors) for _, behaviors, _ in asked), default=0)
    behaviors = np.full((len(asked), width), b"", object)
    for row, (_, own, _) in enumerate(asked):
        behaviors[row, : len(own)] = [one.encode() for one in own]
    columns = {
        "user_id": np.array([user.encode() for user, _, _ in asked], object),
        "behavior_item_id": behaviors,
    }
    places = {item: place for place, item in enumerate(items.item_ids.to_pylist())}
    return HeldOutUsers(columns, np.array([places.get(item, -1) for _, _, item in asked], np.int64))


def run(
    asked: Sequence[tuple[str, list[str], str]] = ASKED,
    count: int = 5,
    added: Mapping[tuple[str, str], float] | None = ADDED,
    **settings: Any,
) -> RecallMeasurement:
    model = Tables(ITEMS, USERS, added)
    items = catalog(count)
    values = {"k": 2, "ks": (1, 3), "num_retrieved": 3, "head_click_share": 0.7}
    config = RecallEvaluatorConfig(**(values | settings))
    return measure(SavedRecall(model.signatures()), clicks(asked, items), items, config)


def test_ranks_of_every_way() -> None:
    ranks = run().ranks
    # Three are retrieved: "b" is not among them.
    assert ranks["retrieved"].tolist() == [2, NEVER, 0, 1, 1, NEVER]
    # What "b" gains counts only where it was retrieved. "d" falls to 3 - 10, behind "e" and "c".
    assert ranks["staged"].tolist() == [2, NEVER, 0, 2, 1, NEVER]
    # Over all items "b" comes first; "d" is the last of e 5, a 0 + 4, c 2, b 1, d -7.
    assert ranks["exact"].tolist() == [2, 0, 0, 4, 1, NEVER]
    # By clicks: c, a, d, b, e.
    assert ranks["popular"].tolist() == [1, 3, 4, 2, 2, NEVER]


def test_click_recall_by_way_and_group() -> None:
    figures = run().figures
    assert (figures["clicks"], figures["items"]) == (6, 5)
    assert (figures["k"], figures["num_retrieved"]) == (2, 3)

    def found(way: str, group: str) -> tuple[int, dict[str, float]]:
        part = figures["stages"][way][group]
        return part["clicks"], part["click_recall"]

    def shares(first: int, second: int, third: int, clicks: int) -> tuple[int, Any]:
        return clicks, pytest.approx({"1": first / clicks, "2": second / clicks, "3": third / clicks})

    assert found("retrieved", "all") == shares(1, 3, 4, 6)
    assert found("staged", "all") == shares(1, 2, 4, 6)
    assert found("exact", "all") == shares(2, 3, 4, 6)
    assert found("popular", "all") == shares(0, 1, 3, 6)
    # "c" and "a" are the head: without "a" only 50 of 100 clicks are covered. The tail's clicks: b, e, d, d.
    assert found("retrieved", "long_tail") == shares(1, 3, 3, 4)
    assert found("staged", "long_tail") == shares(1, 2, 3, 4)
    assert found("exact", "long_tail") == shares(2, 3, 3, 4)
    assert found("popular", "long_tail") == shares(0, 0, 2, 4)
    assert found("staged", "new") == shares(1, 1, 1, 1)
    assert found("popular", "new") == shares(0, 0, 0, 1)


def test_groups_of_the_clicks() -> None:
    groups = run().is_in_group
    assert groups["all"].tolist() == [True] * 6
    # The item that the catalog lacks is in no other group, though the last item is in both.
    assert groups["long_tail"].tolist() == [False, True, True, True, True, False]
    assert groups["new"].tolist() == [False, False, True, False, False, False]


def test_what_is_recalled_at_all() -> None:
    # The first two through the stages: x c d (twice), y e d and e c, z c d (twice).
    recalled = run().figures["recalled"]
    assert recalled["mean_clicks"] == pytest.approx((5 * 50 + 5 * 15 + 2 * 0) / 12)
    assert recalled["long_tail_share"] == pytest.approx(7 / 12)
    assert recalled["new_share"] == pytest.approx(2 / 12)
    assert recalled["coverage"] == pytest.approx(3 / 5)


def test_vectors_are_those_of_the_signatures() -> None:
    measured = run()
    np.testing.assert_array_equal(measured.item_vectors, list(ITEMS.values()))
    np.testing.assert_array_equal(measured.user_vectors, [USERS[user] for user, _, _ in ASKED])
    unit = [np.array(vector) / np.linalg.norm(vector) for vector in ITEMS.values()]
    cosines = [unit[one] @ unit[other] for one in range(5) for other in range(one)]
    assert measured.figures["random_cosine"] == pytest.approx(np.mean(cosines), abs=1e-6)


def test_a_model_without_a_second_stage() -> None:
    measured = run(added=None)
    expected = [2, NEVER, 0, 1, 1, NEVER]
    assert [measured.ranks[way].tolist() for way in ("retrieved", "staged", "exact")] == [expected] * 3
    # x c d, y e d, z c d, each twice.
    assert measured.figures["recalled"]["mean_clicks"] == pytest.approx((4 * 50 + 6 * 15) / 12)


def test_stages_over_the_whole_catalog_are_the_exact_mode() -> None:
    ranks = run(num_retrieved=5).ranks
    assert ranks["staged"].tolist() == ranks["exact"].tolist() == [2, 0, 0, 4, 1, NEVER]
    assert ranks["retrieved"].tolist() == [2, 3, 0, 1, 1, NEVER]


def test_the_exact_mode_keeps_below_its_bound() -> None:
    # 14 scores of 5 items are two clicks.
    measured = run(max_exact_scores=14)
    assert measured.ranks["exact"].tolist() == [2, 0]
    part = measured.figures["stages"]["exact"]
    assert part["all"] == {"clicks": 2, "click_recall": {"1": 0.5, "2": 0.5, "3": 1.0}}
    assert (part["long_tail"]["clicks"], part["new"]["clicks"]) == (1, 0)
    assert part["new"]["click_recall"] == {"1": None, "2": None, "3": None}
    assert run(max_exact_scores=1).ranks["exact"].tolist() == [2], "one click at least"


def test_fewer_items_than_k_and_than_are_retrieved() -> None:
    # c, a and b; d and e are in no catalog.
    measured = run(count=3, k=10, num_retrieved=100)
    assert measured.ranks["retrieved"].tolist() == [1, 2, NEVER, NEVER, NEVER, NEVER]
    assert measured.ranks["staged"].tolist() == [1, 0, NEVER, NEVER, NEVER, NEVER]
    assert measured.figures["stages"]["staged"]["all"]["click_recall"] == pytest.approx(
        {"1": 1 / 6, "3": 2 / 6, "10": 2 / 6}
    )
    assert measured.figures["recalled"]["coverage"] == 1.0


def test_a_catalog_of_one_item() -> None:
    figures = run([("x", ["a"], "a"), ("y", [], "b")], count=1).figures
    assert figures["stages"]["staged"]["all"] == {"clicks": 2, "click_recall": {"1": 0.5, "2": 0.5, "3": 0.5}}
    assert figures["random_cosine"] is None
    assert figures["recalled"] == {
        "mean_clicks": 30.0,
        # All clicks are its own, so that it is the head.
        "long_tail_share": 0.0,
        "new_share": 0.0,
        "coverage": 1.0,
    }


@pytest.mark.parametrize("added", [ADDED, None])
def test_no_clicks_at_all(added: Mapping[tuple[str, str], float] | None) -> None:
    measured = run([], added=added)
    nothing = {"clicks": 0, "click_recall": {"1": None, "2": None, "3": None}}
    assert measured.figures["clicks"] == 0
    assert all(
        part == dict.fromkeys(("all", "long_tail", "new"), nothing)
        for part in measured.figures["stages"].values()
    )
    assert set(measured.figures["stages"]) == {"retrieved", "staged", "exact", "popular"}
    recalled = measured.figures["recalled"]
    assert [recalled[name] for name in ("mean_clicks", "long_tail_share", "new_share")] == [None] * 3
    assert recalled["coverage"] == 0.0
    assert measured.user_vectors.shape == (0, 2) and measured.item_vectors.shape == (5, 2)


def test_items_that_nobody_ever_clicked() -> None:
    items = catalog()
    items = CatalogItems(items.item_ids, items.columns, np.zeros(5, np.int64), np.ones(5, bool))
    model = SavedRecall(Tables(ITEMS, USERS, ADDED).signatures())
    config = RecallEvaluatorConfig(k=2, ks=(), num_retrieved=3)
    measured = measure(model, clicks(ASKED, items), items, config)
    # All are long tail and new, and the popular ones are those that come first.
    assert measured.is_in_group["long_tail"].tolist() == [True] * 5 + [False]
    assert measured.ranks["popular"].tolist() == [0, 1, 4, 3, 3, NEVER]
    assert measured.figures["recalled"]["mean_clicks"] == 0.0


def test_more_clicks_than_are_asked_at_once() -> None:
    rng = np.random.default_rng(3)
    names = list(USERS)
    asked = [
        (names[user], [["a"], ["c"], []][kind], list(ITEMS)[item])
        for user, kind, item in zip(*(rng.integers(0, most, 600) for most in (3, 3, 5)), strict=True)
    ]
    measured = run(asked)
    expected = []
    for user, behaviors, item in asked:
        scores = {name: float(np.dot(USERS[user], vector)) for name, vector in ITEMS.items()}
        first = sorted(scores, key=lambda name: (-scores[name], name))[:3]
        own = behaviors[0] if behaviors else ""
        order = sorted(first, key=lambda name: (-scores[name] - ADDED.get((own, name), 0.0), name))
        expected.append(order.index(item) if item in order else NEVER)
    assert measured.ranks["staged"].tolist() == expected
    assert not math.isclose(np.mean(measured.ranks["staged"] == measured.ranks["retrieved"]), 1)


def test_columns_of_the_signatures() -> None:
    recall = SavedRecall(Tables(ITEMS, USERS, None).signatures())
    assert set(recall.user_specs) == {"user_id", "behavior_item_id"}
    assert set(recall.item_specs) == {"item_id"}
    assert not recall.reorders and SavedRecall(Tables(ITEMS, USERS, ADDED).signatures()).reorders
