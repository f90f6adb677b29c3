"""The simulated world is what its description says."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

from sources.marketplace.ads import click_probability, style_match
from sources.marketplace.audience import Audience
from sources.marketplace.catalog import Catalog
from sources.marketplace.params import MarketplaceParams
from sources.marketplace.style import normalize_blocks


def test_clicks_agree_with_their_true_probabilities(marketplace):
    """In each tenth by probability the clicks are a sum of Bernoulli variables: mean sum(p), variance
    sum(p(1-p)). Beyond 4.5 standard deviations in any of ten has a chance of 7e-5."""
    rows = marketplace.impressions.merge(marketplace.click_truth, on="impression_id", validate="1:1")
    assert len(rows) == len(marketplace.impressions)
    chance = rows["click_probability"]
    tenth = pd.qcut(chance, 10, labels=False)
    excess = (rows["clicked"] - chance).groupby(tenth).sum()
    deviation = np.sqrt((chance * (1 - chance)).groupby(tenth).sum())
    assert (np.abs(excess / deviation) < 4.5).all()
    assert chance.between(0.02, 0.9).all()
    assert chance.std() > 0.08


def test_oracle_auc_is_that_of_the_last_tenth(marketplace):
    rows = marketplace.impressions.merge(marketplace.click_truth, on="impression_id").tail(2_000)
    clicked, ranks = rows["clicked"].to_numpy(), rankdata(rows["click_probability"])
    positives, negatives = clicked.sum(), (~clicked).sum()
    expected = (ranks[clicked].sum() - positives * (positives + 1) / 2) / (positives * negatives)
    assert marketplace.summary["oracle_auc"] == pytest.approx(expected, abs=1e-12)
    assert 0.7 < expected < 0.9


def test_near_duplicates_differ_in_the_pattern_alone(marketplace):
    items = marketplace.items.merge(marketplace.catalog, on="item_id")
    first = items.set_index("item_id").loc[items["family_id"]]
    style, first_style = np.stack(items["style"]), np.stack(first["style"])
    variant = (items["item_id"] != items["family_id"]).to_numpy()
    # Shape and palette are the first eight dimensions, the pattern is the last four.
    assert np.abs(style - first_style)[:, :8].max() < 1e-6
    assert np.abs(style - first_style)[variant, 8:].max(axis=1).min() > 0.01
    assert (items["category_id"].to_numpy() == first["category_id"].to_numpy()).all()
    # 35 % of 388 items: 136 expected, standard deviation 9.4.
    assert 136 - 5 * 9.4 < variant.sum() < 136 + 5 * 9.4


def test_styles_are_unit_vectors(marketplace):
    style = np.stack(marketplace.items["style"]).reshape(-1, 3, 4)
    np.testing.assert_allclose((style**2).sum(axis=2), 1 / 3, atol=1e-5)


def test_the_truth_is_beside_the_logs_never_in_them(marketplace):
    assert {path.name for path in marketplace.out.iterdir()} == {
        "catalog",
        "impressions",
        "searches",
        "purchases",
    }
    truth = marketplace.out.parent / "logs_truth"
    names = {path.name for path in truth.iterdir()}
    assert names == {"items.parquet", "impressions.parquet", "simulation.json"}
    assert json.loads((truth / "simulation.json").read_text()) == marketplace.summary
    told = {"style", "quality", "popularity", "family_id", "click_probability"}
    for log in ("catalog", "impressions", "searches", "purchases"):
        assert not told & set(getattr(marketplace, log).columns)


def test_new_items_appear_every_day(marketplace):
    days = marketplace.catalog["created_at"].dt.floor("D")
    new = days[days >= pd.Timestamp("2024-01-01", tz="UTC")].value_counts()
    # 30 % of 400 items over 14 days: 8 or 9 a day.
    assert len(new) == 14
    assert set(new) <= {8, 9}


def test_new_items_are_shown_soon(marketplace):
    late = marketplace.catalog[marketplace.catalog["created_at"] >= pd.Timestamp("2024-01-13", tz="UTC")]
    assert marketplace.impressions["item_id"].isin(late["item_id"]).sum() > 20


def test_popularity_and_activity_are_long_tailed(marketplace):
    for key, fair_share in (("item_id", 0.1), ("user_id", 0.1)):
        shown = marketplace.impressions[key].value_counts()
        head = shown.iloc[: int(fair_share * len(shown))].sum() / shown.sum()
        assert head > 3 * fair_share


def test_the_evening_is_busier_than_the_night(marketplace):
    hours = marketplace.impressions["timestamp"].dt.hour
    assert hours.between(19, 21).sum() > 3 * hours.between(2, 4).sum()


def test_clicked_results_look_more_alike_than_the_category(marketplace):
    style = dict(zip(marketplace.items["item_id"], np.stack(marketplace.items["style"]), strict=True))
    pairs = [ids[:2] for ids in marketplace.searches["clicked_item_ids"] if len(ids) > 1]
    similarity = np.mean([style[a] @ style[b] for a, b in pairs])
    # Two random styles have the similarity 0 on average.
    assert similarity > 0.3


def one_item_one_user(cosine: float) -> tuple[Catalog, Audience]:
    """An item and a taste whose blocks all have the given cosine."""
    block = [1.0, 0.0, 0.0, 0.0]
    turned = [cosine, (1 - cosine**2) ** 0.5, 0.0, 0.0]
    zero, ids = np.zeros(1, np.int64), np.array(["x"], object)
    style, taste = (normalize_blocks(np.array([b * 3], np.float32)) for b in (block, turned))
    quality = np.array([2.0], np.float32)
    catalog = Catalog(ids, zero, zero, zero, zero, style, quality, np.ones(1))
    liking, inclination = np.array([[-1.0]], np.float32), np.array([0.5], np.float32)
    audience = Audience(
        ids, ids, ids, ids, taste[:, None], liking, np.ones((1, 1)), inclination, np.ones(1), zero
    )
    return catalog, audience


def test_click_probability_by_hand():
    catalog, audience = one_item_one_user(cosine=0.5)
    params = MarketplaceParams(
        base_logit=-3.0,
        taste_weight=1.0,
        category_weight=0.5,
        quality_weight=0.25,
        user_weight=0.2,
        placement_weight=1.0,
        accident_rate=0.1,
        inattention_rate=0.2,
    )
    zero = np.zeros(1, np.int64)
    # match = sqrt(12) * 0.5 = 1.73205
    # logit = -3 + 1.73205 - 0.5 + 0.5 + 0.1 + 0 (placement "feed") = -1.16795
    # sigmoid = 1 / (1 + e^1.16795) = 1 / 4.21539 = 0.23722; 0.1 + 0.7 * 0.23722 = 0.26606
    assert style_match(catalog, audience, zero, zero) == pytest.approx([1.73205], abs=1e-4)
    chance = click_probability(params, catalog, audience, zero, zero, placement=zero + 1)
    assert chance == pytest.approx([0.26606], abs=1e-4)
