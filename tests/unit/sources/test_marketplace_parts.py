"""The parts of the simulation, each alone."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from sources.marketplace.catalog import Catalog, make_catalog
from sources.marketplace.clock import DAY, START, spread
from sources.marketplace.oracle import Oracle, auc
from sources.marketplace.params import MarketplaceParams
from sources.marketplace.renderer import render_jpegs
from sources.marketplace.shelf import Shelf, pick_by_match
from sources.marketplace.silhouettes import SILHOUETTES
from sources.marketplace.style import MATCH_SCALE, PATTERN, knobs, random_styles
from sources.marketplace.views import photo_views, studio_views
from sources.marketplace.words import write_queries, write_titles

STRIPES = ("striped", "stripes", "pinstripe")


def draw(categories: np.ndarray, styles: np.ndarray, photo: bool = False, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    views = (photo_views if photo else studio_views)(rng, len(categories))
    return decode(render_jpegs(rng, categories, styles, views, 64))


def decode(jpegs: list[bytes]) -> np.ndarray:
    return np.stack([np.asarray(Image.open(io.BytesIO(jpeg)), np.int64) for jpeg in jpegs])


def product_mask(pictures: np.ndarray) -> np.ndarray:
    """Where a studio picture differs from its light ground."""
    return pictures.min(axis=-1) < 190


def test_start_is_2024():
    assert np.datetime64(START, "us") == np.datetime64("2024-01-01T00:00:00", "us")


def test_spread_by_hand():
    assert spread(10, 4).tolist() == [2, 3, 2, 3]
    assert spread(3, 3).tolist() == [1, 1, 1]


def test_knobs_by_hand():
    """The semicircle's distribution: F(0) = 1/2, F(1) = 1, F(1/2) = 1/2 + (0.43301 + 0.52360) / pi."""
    block = np.array([0.5, 0.0, 1.0, -1.0])
    got = knobs(np.tile(block, 3) / np.sqrt(3))
    np.testing.assert_allclose(got[:4], [0.80450, 0.5, 1.0, 0.0], atol=1e-4)


def test_knobs_of_random_styles_are_uniform():
    values = knobs(random_styles(np.random.default_rng(0), 20_000))
    # The mean of 20,000 uniform variables has the standard deviation 0.2887 / 141.4 = 0.00204.
    np.testing.assert_allclose(values.mean(axis=0), 0.5, atol=5 * 0.00204)
    np.testing.assert_allclose((values < 0.1).mean(axis=0), 0.1, atol=5 * 0.00212)


def test_matches_of_random_styles_have_unit_variance():
    rng = np.random.default_rng(0)
    match = MATCH_SCALE * (random_styles(rng, 50_000) * random_styles(rng, 50_000)).sum(axis=1)
    assert match.mean() == pytest.approx(0, abs=0.025)
    assert match.var() == pytest.approx(1, abs=0.04)


def test_auc_by_hand():
    # Pairs (clicked, not): 0.9>0.1, 0.9>0.4, 0.4>0.1, 0.4=0.4 counts half: 3.5 of 4.
    scores = np.array([0.9, 0.4, 0.4, 0.1])
    assert auc(scores, np.array([True, True, False, False])) == 3.5 / 4
    assert np.isnan(auc(scores, np.ones(4, bool)))


def test_oracle_skips_the_first_impressions():
    oracle = Oracle(skip=3)
    oracle.add(np.array([0.9, 0.8]), np.array([False, False]))
    oracle.add(np.array([0.9, 0.7, 0.2]), np.array([False, True, False]))
    assert oracle.auc() == 1.0
    assert (oracle.seen, oracle.clicks) == (5, 1)


def small_catalog() -> tuple[Catalog, MarketplaceParams]:
    params = MarketplaceParams(num_items=40, num_categories=2, num_shops=3)
    return make_catalog(params), params


def test_shelf_draws_existing_items_by_popularity():
    catalog, params = small_catalog()
    params = replace(params, freshness_boost=0.0)
    time = START + 5 * DAY
    drawn = Shelf(catalog, params, day=5).draw(np.random.default_rng(0), np.full(50_000, time))
    weights = np.where(catalog.created_at < time, catalog.popularity, 0)
    expected = 50_000 * weights / weights.sum()
    counts = np.bincount(drawn, minlength=40)
    assert (counts[weights == 0] == 0).all() and (weights == 0).sum() > 3
    assert (np.abs(counts - expected) < 5 * np.sqrt(expected) + 1e-9).all()


def test_shelf_draws_within_categories():
    catalog, params = small_catalog()
    categories = np.array([0, 1, 1, 0])
    times = START + np.array([1, 1, DAY, 13 * DAY])
    drawn = Shelf(catalog, params, day=0).draw_in_categories(np.random.default_rng(0), categories, times, 200)
    assert drawn.shape == (4, 200)
    assert (catalog.category[drawn] == categories[:, None]).all()
    assert (catalog.created_at[drawn] < times[:, None]).all()


def test_new_items_are_shown_more_often():
    catalog, params = small_catalog()
    newest = int(np.flatnonzero(catalog.created_at < START + 6 * DAY)[-1])
    times = np.full(20_000, START + 6 * DAY)
    shares = []
    for boost in (0.0, 3.0):
        shelf = Shelf(catalog, replace(params, freshness_boost=boost), day=6)
        shares.append((shelf.draw(np.random.default_rng(0), times) == newest).mean())
    assert shares[1] > 1.5 * shares[0]


def test_pick_by_match_prefers_what_fits():
    """Softmax of (0, ln 3): the second is picked in 3 of 4 cases."""
    candidates = np.tile([10, 20], (40_000, 1))
    match = np.tile([0.0, np.log(3) / 2], (40_000, 1))
    picked = pick_by_match(np.random.default_rng(0), candidates, match, strength=2.0)
    assert (picked == 20).mean() == pytest.approx(0.75, abs=5 * 0.0022)


def test_silhouettes_of_categories_differ():
    """Averaged over many shapes, no two categories cover nearly the same pixels."""
    count = 30
    categories = np.repeat(np.arange(len(SILHOUETTES)), count)
    pictures = draw(categories, random_styles(np.random.default_rng(1), len(categories)))
    cover = product_mask(pictures).reshape(len(SILHOUETTES), count, -1).mean(axis=1)
    assert ((cover.sum(axis=1) > 400) & (cover.sum(axis=1) < 2_900)).all()
    for one in range(len(SILHOUETTES)):
        for other in range(one):
            common = np.minimum(cover[one], cover[other]).sum()
            assert common / np.maximum(cover[one], cover[other]).sum() < 0.8


def test_a_pattern_changes_the_product_and_not_its_outline():
    rng = np.random.default_rng(2)
    styles = random_styles(rng, 24)
    others = styles.copy()
    others[:, PATTERN] = random_styles(rng, 24)[:, PATTERN]
    categories = np.arange(24) % 12
    # The same seed, thus the same views.
    first, second = draw(categories, styles), draw(categories, others)
    change = np.abs(first - second).max(axis=-1)
    outside = ~(product_mask(first) | product_mask(second))
    assert np.median(change[outside]) <= 2
    assert (change.max(axis=(1, 2)) > 20).all()


def test_a_photo_is_another_view():
    styles = random_styles(np.random.default_rng(3), 12)
    categories = np.arange(12)
    studio, photo, again = (
        draw(categories, styles),
        draw(categories, styles, True, 1),
        draw(categories, styles, True, 2),
    )
    assert (np.abs(studio - photo).mean(axis=(1, 2, 3)) > 15).all()
    assert (np.abs(again - photo).mean(axis=(1, 2, 3)) > 15).all()


def test_titles_name_the_pattern_and_vary():
    rng = np.random.default_rng(4)
    styles = random_styles(rng, 400)
    # Patterns come in equal quarters of the first pattern knob: plain, stripes, checks, dots.
    kind = knobs(styles)[:, 8]
    titles = write_titles(rng, np.zeros(400, np.int64), styles)
    striped = np.array([any(word in title.split() for word in STRIPES) for title in titles])
    assert not striped[(kind < 0.25) | (kind > 0.5)].any()
    assert 0.6 < striped[(kind > 0.25) & (kind < 0.5)].mean() < 0.95
    assert len(set(write_titles(rng, np.zeros(50, np.int64), np.repeat(styles[:1], 50, axis=0)))) == 50


def test_queries_name_the_category():
    rng = np.random.default_rng(5)
    queries = write_queries(rng, np.full(50, 6), random_styles(rng, 50))
    assert {query.split()[-1] for query in queries} == {"mug", "cup", "beaker"}
