"""A catalog in batches that a store takes."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_release import write_catalog

from serving.item_store.stored_item import StoredItem
from serving.release import catalog
from serving.release.catalog import read_catalog
from transforms.input_error import InputError


def test_columns_features_and_what_is_missing(tmp_path: Path) -> None:
    whole = {"item_id": "a", "category_id": "c", "shop_id": "s", "title": "Schuh, rot", "image": b"png"}
    folder = write_catalog(
        tmp_path / "catalog",
        [whole | {"price": 2.5, "brand": "B"}, {"item_id": "b", "image": b"", "price": float("nan")}],
        [{"item_id": "c", "title": ""}],
    )
    first, second = read_catalog(folder)
    # created_at is a time, which is no feature.
    assert first == (
        [
            StoredItem("a", "c", "s", "Schuh, rot", {"price": 2.5, "brand": "B"}),
            StoredItem("b", "", "", None, {}),
        ],
        {"a": b"png", "b": None},
    )
    assert second == ([StoredItem("c", "", "", "", {})], {"c": None})


def test_batches_are_bounded_by_rows_and_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "_ROWS_AT_ONCE", 4)
    monkeypatch.setattr(catalog, "_BYTES_AT_ONCE", 100)
    sizes = [60, 40, 1, 99, 100, 101, 30, 0, 0, 0, 0]
    rows = [{"item_id": f"i{place}", "image": b"x" * size} for place, size in enumerate(sizes)]
    batches = list(read_catalog(write_catalog(tmp_path / "catalog", rows)))
    got = [[len(images[item.item_id] or b"") for item in items] for items, images in batches]
    # Rows in fours, and these cut before they have more than 100 bytes; a larger picture comes alone.
    assert got == [[60, 40], [1, 99], [100], [101], [30, 0], [0, 0, 0]]


def test_a_title_is_cut_where_the_stores_bound_is(tmp_path: Path) -> None:
    rows = [{"item_id": "a", "title": "ü" * 10_000}, {"item_id": "b", "title": "x\0y"}]
    ((items, _),) = read_catalog(write_catalog(tmp_path / "catalog", rows))
    # Two bytes each, and no half of one.
    assert items[0].title == "ü" * 8_192 and items[1].title == "x y"


def test_what_is_no_catalog(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a catalog in .*nowhere, got no file"):
        list(read_catalog(str(tmp_path / "nowhere")))
    pq.write_table(pa.table({"item_id": ["a"], "title": ["t"]}), tmp_path / "catalog-0.parquet")
    with pytest.raises(
        InputError, match="catalog-0.parquet: expected a catalog with category_id, shop_id, image"
    ):
        list(read_catalog(str(tmp_path)))
    (tmp_path / "catalog-0.parquet").write_bytes(b"PAR1 no Parquet")
    with pytest.raises(InputError, match="catalog-0.parquet: expected a Parquet file of items"):
        list(read_catalog(str(tmp_path)))
