"""Pictures of every kind go through LogIngest: into catalog and pairs in one form, or whole into the rejects."""

import numpy as np
import pytest
import tensorflow as tf
from ingest_run import Ingested, run_ingest
from odd_images import IMAGE, SQUARE, good_images, odd_images
from small_logs import BASE, HOUR, MINUTE, SCHEMAS, Row, good_logs, one_file, write_logs

from transforms import reject_rows
from transforms.ingest_config import IngestConfig

ODD = odd_images()


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Ingested:
    """An item with each picture, and a search with it, in which the item before is clicked and this one bought."""
    logs = good_logs()
    names = list(ODD)
    for number, (name, (data, _)) in enumerate(ODD.items()):
        moment = BASE + (number % 50) * MINUTE
        logs["catalog"].append({"item_id": name, "title": f"an item, {name}", "image": data})
        logs["searches"].append(
            {
                "search_id": name,
                "user_id": f"user {number}",
                "timestamp": moment,
                "query_image": data,
                "clicked_item_ids": [names[number - 1]],
            }
        )
        logs["purchases"].append(
            {
                "purchase_id": name,
                "user_id": f"user {number}",
                "item_id": name,
                "timestamp": moment + 1,
                "search_id": name,
            }
        )
    # The same search again: its picture is whole, but the row is a duplicate.
    again = {"search_id": "turned JPEG", "query_image": ODD["turned JPEG"][0]}
    logs["searches"].append(logs["searches"][-1] | again)
    folder = tmp_path_factory.mktemp("pictures")
    config = IngestConfig(features=(), max_reject_fraction=1.0, rows_per_file=20)
    where = write_logs(folder / "logs", {log: one_file(rows) for log, rows in logs.items()})
    with pytest.MonkeyPatch.context() as patch:
        # So that the rows of a batch are checked in several parts.
        patch.setattr(reject_rows, "_SLICE_BYTES", 2_000)
        return run_ingest(where, folder / "out", config, BASE + 10 * HOUR)


def colors_of(data: bytes) -> np.ndarray:
    pixels = tf.io.decode_image(data, channels=3, expand_animations=False).numpy()
    inside = pixels[SQUARE // 2 :: SQUARE, SQUARE // 2 :: SQUARE]
    return (inside if inside.size else pixels[-1:, -1:]).astype(int)


def all_pairs(ingested: Ingested) -> dict[str, Row]:
    return {pair["purchase_id"]: pair for pairs in ingested.pairs.values() for pair in pairs}


@pytest.mark.parametrize("name", good_images())
def test_catalog_and_pairs_show_the_picture(name: str, ingested: Ingested) -> None:
    colors = good_images()[name][1].astype(int)
    (item,) = [row for row in ingested.catalog if row["item_id"] == name]
    pair = all_pairs(ingested)[name]
    assert np.abs(colors_of(item["image"]) - colors).max() <= 8
    assert pair["query_image"] == pair["positive_image"] == item["image"]
    assert pair["positive_title"] == f"an item, {name}"


def test_negatives_have_title_and_picture_of_their_item(ingested: Ingested) -> None:
    catalog = {row["item_id"]: row for row in ingested.catalog}
    negatives = [pair for pair in all_pairs(ingested).values() if pair["negative_item_id"] is not None]
    assert len(negatives) > 20
    for pair in negatives:
        item = catalog[pair["negative_item_id"]]
        assert (pair["negative_title"], pair["negative_image"]) == (item["title"], item["image"])


@pytest.mark.parametrize("log", ["catalog", "searches"])
def test_bad_pictures_are_rejects_as_they_came(log: str, ingested: Ingested) -> None:
    key, column = {"catalog": ("item_id", "image"), "searches": ("search_id", "query_image")}[log]
    # Without its picture an empty one's search has nothing to search for.
    wanted = {
        name: (data, "no_query" if log == "searches" and not data else reason)
        for name, (data, reason) in ODD.items()
        if reason != IMAGE
    }
    found = {
        row[key]: (row[column], row["reason"])
        for row in ingested.rejects[log]
        if row["reason"] != "duplicate_id"
    }
    assert found == wanted


def test_a_duplicate_is_kept_as_it_came(ingested: Ingested) -> None:
    (row,) = [row for row in ingested.rejects["searches"] if row["reason"] == "duplicate_id"]
    assert row["search_id"] == "turned JPEG"
    assert row["query_image"] == ODD["turned JPEG"][0]
    assert set(row) == {*SCHEMAS["searches"], "reason", "file", "row"}
