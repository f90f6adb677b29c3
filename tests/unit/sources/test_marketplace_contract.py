"""The simulated logs obey the contract that every source obeys."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from transforms.logs import LOGS, LogSpec

CONTEXT = [
    ("gender", pa.string()),
    ("age_group", pa.string()),
    ("city", pa.string()),
    ("placement", pa.string()),
]


def parts(out: Path, spec: LogSpec) -> list[Path]:
    return sorted((out / spec.name).glob("*.parquet"))


@pytest.mark.parametrize("spec", LOGS, ids=lambda spec: spec.name)
def test_schema_of_every_part(marketplace, spec):
    extra = CONTEXT if spec.name == "impressions" else []
    files = parts(marketplace.out, spec)
    assert len(files) > 1
    for file in files:
        assert pq.read_schema(file).equals(pa.schema([*spec.schema, *extra]))


@pytest.mark.parametrize("spec", LOGS, ids=lambda spec: spec.name)
def test_ids_are_unique_and_keys_present(marketplace, spec):
    log = getattr(marketplace, spec.name)
    assert log[spec.id_column].is_unique
    for key in spec.keys:
        assert (log[key].str.len() > 0).all()


def test_pictures_are_whole_jpegs_of_the_asked_size(marketplace):
    photos = marketplace.searches["query_image"].dropna()
    for data in [*marketplace.catalog["image"], *photos]:
        picture = Image.open(io.BytesIO(data))
        picture.load()
        assert (picture.format, picture.size) == ("JPEG", (64, 64))


def test_every_search_has_words_or_a_picture(marketplace):
    searches = marketplace.searches
    assert (searches["query_text"].isna() != searches["query_image"].isna()).all()


@pytest.mark.parametrize("log", ["impressions", "searches", "purchases"])
def test_times_are_ordered_and_within_the_days(marketplace, log):
    times = getattr(marketplace, log)["timestamp"]
    assert times.is_monotonic_increasing
    assert times.min() >= pd.Timestamp("2024-01-01", tz="UTC")
    assert times.max() < pd.Timestamp("2024-01-15", tz="UTC")


@pytest.mark.parametrize("log", ["impressions", "purchases"])
def test_items_exist_before_they_are_shown_or_bought(marketplace, log):
    rows = getattr(marketplace, log).merge(marketplace.catalog, on="item_id", how="left")
    assert (rows["created_at"] < rows["timestamp"]).all()  # False as well where the item is unknown.


def test_clicked_results_exist_and_are_of_one_category(marketplace):
    clicks = marketplace.searches.explode("clicked_item_ids").merge(
        marketplace.catalog, left_on="clicked_item_ids", right_on="item_id", how="left"
    )
    assert (clicks["created_at"] < clicks["timestamp"]).all()
    assert (clicks.groupby("search_id")["category_id"].nunique() == 1).all()
    assert not clicks.duplicated(["search_id", "item_id"]).any()


def test_purchases_follow_their_search(marketplace):
    named = marketplace.purchases.dropna(subset="search_id")
    rows = named.merge(marketplace.searches, on="search_id", how="left", suffixes=("", "_search"))
    assert 0.3 * len(marketplace.purchases) < len(rows) < len(marketplace.purchases)
    assert (rows["user_id"] == rows["user_id_search"]).all()
    assert (rows["timestamp"] > rows["timestamp_search"]).all()
    assert all(
        item in clicked for item, clicked in zip(rows["item_id"], rows["clicked_item_ids"], strict=True)
    )
    within_a_day = (rows["timestamp"] - rows["timestamp_search"]) < pd.Timedelta(hours=24)
    assert within_a_day.mean() > 0.95


def test_some_searches_have_a_hard_negative(marketplace):
    rows = marketplace.purchases.merge(marketplace.searches, on="search_id")
    has_other = rows["clicked_item_ids"].map(len) > 1
    assert 0.3 < has_other.mean() < 1


def test_users_keep_their_features(marketplace):
    per_user = marketplace.impressions.groupby("user_id")[["gender", "age_group", "city"]].nunique()
    assert np.all(per_user == 1)
    assert marketplace.impressions["placement"].nunique() == 4


def test_row_counts_are_those_reported(marketplace):
    counts = {spec.name: len(getattr(marketplace, spec.name)) for spec in LOGS}
    assert marketplace.summary["rows"] == counts
    assert (counts["catalog"], counts["impressions"], counts["searches"]) == (400, 20_000, 500)
