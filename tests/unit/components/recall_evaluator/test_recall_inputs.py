"""What recall is measured with, read from real files."""

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from components.recall_evaluator.recall_inputs import CatalogItems, HeldOutUsers
from transforms.input_error import InputError

sys.path.append(str(Path(__file__).resolve().parents[3] / "support"))
from made_clicks import Row, make_item, make_row, write_split

ITEM_SPECS = {
    "item_id": tf.TensorSpec([None], tf.string),
    "shop_id": tf.TensorSpec([None], tf.string),
    "price": tf.TensorSpec([None], tf.float32),
}
USER_SPECS = {
    "user_id": tf.TensorSpec([None], tf.string),
    "gender": tf.TensorSpec([None], tf.string),
    "age": tf.TensorSpec([None], tf.int64),
    "behavior_item_id": tf.TensorSpec([None, None], tf.string),
    "behavior_shop_id": tf.TensorSpec([None, None], tf.string),
}


def write_parquet(folder: Path, *parts: dict[str, Any]) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    for number, part in enumerate(parts):
        pq.write_table(pa.table(part), folder / f"part-{number}.parquet")
    return str(folder)


@pytest.fixture
def stats(tmp_path: Path) -> str:
    """In another order than the catalog; it lacks "c" and has one that the catalog lost."""
    return write_parquet(
        tmp_path / "stats",
        {"item_id": ["d", "gone"], "impressions": [4, 9], "clicks": [0, 5], "frequency_group": [1, 2]},
        {"item_id": ["a", "b"], "impressions": [7, 3], "clicks": [2, 1], "frequency_group": [1, 2]},
    )


@pytest.fixture
def catalog(tmp_path: Path) -> str:
    """Of two files, with nulls, and a column that is not asked for."""
    return write_parquet(
        tmp_path / "catalog",
        {
            "item_id": ["a", "b"],
            "title": ["x", None],
            "shop_id": [None, "s"],
            "price": pa.array([1.5, None], pa.float64()),
        },
        {
            "item_id": ["c", "d"],
            "title": [None, "y"],
            "shop_id": ["", "t"],
            "price": pa.array([0.0, 4.0], pa.float64()),
        },
    )


def test_items_with_their_columns_and_statistics(catalog: str, stats: str) -> None:
    items = CatalogItems.read(catalog, stats, ITEM_SPECS)
    assert len(items) == 4 and items.item_ids.to_pylist() == ["a", "b", "c", "d"]
    assert set(items.columns) == {"item_id", "shop_id", "price"}
    assert items.columns["item_id"].tolist() == [b"a", b"b", b"c", b"d"]
    assert items.columns["shop_id"].tolist() == [b"", b"s", b"", b"t"]
    # Nothing is not a price of zero.
    np.testing.assert_array_equal(items.columns["price"], np.array([1.5, math.nan, 0.0, 4.0], np.float32))
    assert items.clicks.tolist() == [2, 1, 0, 0]
    # "d" was shown, but never clicked.
    assert items.is_new.tolist() == [False, False, True, False]


def test_a_whole_catalog_without_statistics(catalog: str, tmp_path: Path) -> None:
    none = pa.array([], pa.int64())
    stats = write_parquet(
        tmp_path / "none", {"item_id": pa.array([], pa.string()), "impressions": none, "clicks": none}
    )
    items = CatalogItems.read(catalog, stats, ITEM_SPECS)
    assert items.clicks.tolist() == [0] * 4 and items.is_new.all()


def test_columns_that_the_catalog_lacks_are_missing_values(catalog: str, stats: str) -> None:
    # The last blessed model may have read features that the configuration has dropped since.
    specs = ITEM_SPECS | {
        "brand": tf.TensorSpec([None], tf.string),
        "weight": tf.TensorSpec([None], tf.float32),
    }
    items = CatalogItems.read(catalog, stats, specs)
    assert items.columns["brand"].tolist() == [b""] * 4
    assert np.isnan(items.columns["weight"]).all() and items.columns["weight"].shape == (4,)
    assert items.columns["shop_id"].tolist() == [b"", b"s", b"", b"t"]


def test_columns_of_a_dictionary_are_read_as_texts(stats: str, tmp_path: Path) -> None:
    ids = pa.array(["a", "b"])
    shops = pa.array(["s", None]).dictionary_encode()
    catalog = write_parquet(tmp_path / "coded", {"item_id": ids, "shop_id": shops, "price": [1.0, 2.0]})
    items = CatalogItems.read(catalog, stats, ITEM_SPECS)
    assert items.columns["shop_id"].tolist() == [b"s", b""]


def test_a_catalog_without_items(stats: str, tmp_path: Path) -> None:
    empty = {"item_id": pa.array([], pa.string()), "shop_id": pa.array([], pa.string())}
    with pytest.raises(InputError, match="expected items in .*, got none"):
        CatalogItems.read(write_parquet(tmp_path / "empty", empty), stats, ITEM_SPECS)
    (tmp_path / "nothing").mkdir()
    with pytest.raises(InputError, match="expected items in .*nothing, got no file"):
        CatalogItems.read(str(tmp_path / "nothing"), stats, ITEM_SPECS)


def items_of(count: int) -> CatalogItems:
    """i0, i1, …"""
    ids = pa.array([f"i{number}" for number in range(count)])
    return CatalogItems(ids, {}, np.zeros(count, np.int64), np.zeros(count, bool))


def impression(number: int, clicked: bool, behaviors: Sequence[int] = ()) -> Row:
    """Of user u<number> and item i<number>."""
    return (
        make_row(number, behaviors)
        | make_item(number)
        | {"user_id": [f"u{number}"], "age": [number], "clicked": [int(clicked)]}
    )


def read(folders: Sequence[Path], max_clicks: int = 100, items: int = 2_000, seed: int = 0) -> HeldOutUsers:
    return HeldOutUsers.read(
        [str(folder) for folder in folders], items_of(items), USER_SPECS, max_clicks, seed
    )


def test_only_clicks_are_read_each_with_its_user(tmp_path: Path) -> None:
    write_split(
        tmp_path,
        "test",
        [
            impression(3, True, [1, 2]),
            impression(4, False, [5, 6, 7]),
            # Without a user, gender and item; the catalog lacks item 9.
            {"clicked": [1], "age": [8]},
            impression(9, True),
            impression(5, True, [8]) | {"gender": [], "age": []},
        ],
    )
    users = read([tmp_path / "Split-test"], items=9)
    assert len(users) == 4
    assert users.items.tolist() == [3, -1, -1, 5]
    assert set(users.columns) == set(USER_SPECS)
    assert users.columns["user_id"].tolist() == [b"u3", b"", b"u9", b"u5"]
    # made_clicks leaves the gender of every third row out.
    assert users.columns["gender"].tolist() == [b"", b"", b"", b""]
    assert users.columns["age"].tolist() == [3, 8, 9, 0]
    behaviors = [[value for value in row if value] for row in users.columns["behavior_item_id"].tolist()]
    assert behaviors == [[b"i1", b"i2"], [], [], [b"i8"]]


def test_a_missing_shop_keeps_its_place(tmp_path: Path) -> None:
    write_split(tmp_path, "test", [impression(3, True, [1, 4, 2])])
    users = read([tmp_path / "Split-test"])
    assert users.columns["behavior_item_id"].tolist() == [[b"i1", b"i4", b"i2"]]
    assert users.columns["behavior_shop_id"].tolist() == [[b"s1", b"", b"s2"]]


def test_batches_of_other_widths_are_brought_together(tmp_path: Path) -> None:
    # More than are read at once, the first ones without any behavior, later ones with up to four.
    rows = [impression(number, True) for number in range(1_024)]
    rows += [impression(number, True, [number % 7]) for number in range(1_024, 1_500)]
    rows += [impression(number, True, [1, 2, 3, number % 5]) for number in range(1_500, 1_600)]
    write_split(tmp_path, "eval", rows[:1_300])
    write_split(tmp_path, "test", rows[1_300:])
    users = read([tmp_path / "Split-eval", tmp_path / "Split-test"], max_clicks=5_000)
    assert users.items.tolist() == list(range(1_600))
    behaviors = users.columns["behavior_item_id"]
    assert behaviors.shape == users.columns["behavior_shop_id"].shape == (1_600, 4)
    assert [value for value in behaviors[10] if value] == []
    assert behaviors[1_400].tolist() == [b"i0", b"", b"", b""]
    assert behaviors[1_599].tolist() == [b"i1", b"i2", b"i3", b"i4"]
    sizes = [len(part["user_id"]) for part in users.batches(700)]
    assert sizes == [700, 700, 200]
    joined = np.concatenate([part["user_id"] for part in users.batches(700)])
    np.testing.assert_array_equal(joined, users.columns["user_id"])


def test_some_of_many_clicks_are_drawn_in_their_order(tmp_path: Path) -> None:
    write_split(tmp_path, "test", [impression(number, number % 2 == 0) for number in range(1_600)])
    folder = [tmp_path / "Split-test"]
    drawn = read(folder, max_clicks=150)
    assert len(drawn) == 150 and (np.diff(drawn.items) > 0).all() and (drawn.items % 2 == 0).all()
    # Rows stay whole.
    assert drawn.columns["user_id"].tolist() == [b"u%d" % item for item in drawn.items]
    np.testing.assert_array_equal(read(folder, max_clicks=150).items, drawn.items)
    assert read(folder, max_clicks=150, seed=1).items.tolist() != drawn.items.tolist()
    # Early and late ones alike: of 150 about 75 are in either half, 6 a standard deviation.
    assert 50 < (drawn.items < 800).sum() < 100
    assert len(read(folder, max_clicks=800)) == len(read(folder, max_clicks=801)) == 800


def test_no_click_at_all(tmp_path: Path) -> None:
    write_split(tmp_path, "test", [impression(number, False, [1]) for number in range(3)])
    users = read([tmp_path / "Split-test"])
    assert len(users) == 0 and list(users.batches(10)) == []


def test_a_split_without_examples(tmp_path: Path) -> None:
    write_split(tmp_path, "test", [])
    with pytest.raises(InputError, match="expected impressions in the evaluated split, got none"):
        read([tmp_path / "Split-test"])
    with pytest.raises(InputError, match="expected examples at .*, got no file"):
        read([tmp_path / "Split-none"])
