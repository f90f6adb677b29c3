"""Turns simulated events into rows of the logs."""

import numpy as np
import pyarrow as pa

from sources.marketplace.ads import PLACEMENTS, Impressions
from sources.marketplace.audience import Audience
from sources.marketplace.catalog import Catalog
from sources.marketplace.params import MarketplaceParams
from sources.marketplace.purchasing import Purchases
from sources.marketplace.randomness import make_rng
from sources.marketplace.renderer import render_jpegs
from sources.marketplace.searching import Searches
from sources.marketplace.views import photo_views, studio_views
from sources.marketplace.words import write_queries, write_titles
from transforms.logs import CATALOG, IMPRESSIONS, PURCHASES, SEARCHES, TIMESTAMP

CONTEXT_COLUMNS = ("gender", "age_group", "city", "placement")
IMPRESSIONS_SCHEMA = pa.schema([*IMPRESSIONS.schema, *((name, pa.string()) for name in CONTEXT_COLUMNS)])
ITEM_TRUTH_SCHEMA = pa.schema(
    [
        ("item_id", pa.string()),
        ("family_id", pa.string()),
        ("style", pa.list_(pa.float32())),
        ("quality", pa.float32()),
        ("popularity", pa.float64()),
    ]
)
IMPRESSION_TRUTH_SCHEMA = pa.schema([("impression_id", pa.string()), ("click_probability", pa.float64())])


def catalog_table(params: MarketplaceParams, catalog: Catalog, start: int, stop: int) -> pa.Table:
    """Rows start to stop of the catalog, titles written and pictures drawn."""
    rows = slice(start, stop)
    categories, styles = catalog.category[rows], catalog.style[rows]
    rng = make_rng(params.seed, "pictures", start)
    pictures = render_jpegs(rng, categories, styles, studio_views(rng, len(categories)), params.picture_size)
    titles = write_titles(make_rng(params.seed, "titles", start), categories, styles)
    columns = [
        _strings(catalog.item_ids[rows]),
        _numbered("c", categories, 2),
        _numbered("s", catalog.shop[rows], 5),
        pa.array(titles, pa.string()),
        pa.array(pictures, pa.binary()),
        _times(catalog.created_at[rows]),
    ]
    return pa.table(columns, schema=CATALOG.schema)


def item_truth_table(catalog: Catalog) -> pa.Table:
    """What no model may see of the items."""
    columns = [
        _strings(catalog.item_ids),
        _strings(catalog.item_ids[catalog.family]),
        pa.array(list(catalog.style), pa.list_(pa.float32())),
        pa.array(catalog.quality, pa.float32()),
        pa.array(catalog.popularity, pa.float64()),
    ]
    return pa.table(columns, schema=ITEM_TRUTH_SCHEMA)


def impressions_tables(
    catalog: Catalog, audience: Audience, impressions: Impressions, first: int
) -> tuple[pa.Table, pa.Table]:
    """Rows of the log and their true click probabilities; `first` is the number of the first impression."""
    user = impressions.user
    ids = _numbered("m", np.arange(first, first + len(user)), 9)
    columns = [
        ids,
        _strings(audience.user_ids[user]),
        _strings(catalog.item_ids[impressions.item]),
        _times(impressions.timestamp),
        pa.array(impressions.clicked, pa.bool_()),
        *(_strings(values[user]) for values in (audience.gender, audience.age_group, audience.city)),
        _strings(np.array(PLACEMENTS, object)[impressions.placement]),
    ]
    truth = [ids, pa.array(impressions.click_probability, pa.float64())]
    return pa.table(columns, schema=IMPRESSIONS_SCHEMA), pa.table(truth, schema=IMPRESSION_TRUTH_SCHEMA)


def searches_table(
    rng: np.random.Generator,
    params: MarketplaceParams,
    catalog: Catalog,
    audience: Audience,
    searches: Searches,
    first: int,
    rows: slice,
) -> pa.Table:
    """Some rows of the day's searches, queries written or photographed."""
    by_picture, category, wish = (
        values[rows] for values in (searches.by_picture, searches.category, searches.wish)
    )
    pictured, worded = np.flatnonzero(by_picture), np.flatnonzero(~by_picture)
    views = photo_views(rng, len(pictured))
    photos = render_jpegs(rng, category[pictured], wish[pictured], views, params.picture_size)
    columns = [
        _numbered("q", first + np.arange(len(searches.user))[rows], 8),
        _strings(audience.user_ids[searches.user[rows]]),
        _times(searches.timestamp[rows]),
        _sparse(len(category), worded, write_queries(rng, category[worded], wish[worded]), pa.string()),
        _sparse(len(category), pictured, photos, pa.binary()),
        _clicked_lists(catalog, searches.results[rows], searches.clicked[rows]),
    ]
    return pa.table(columns, schema=SEARCHES.schema)


def purchases_table(catalog: Catalog, audience: Audience, purchases: Purchases, first: int) -> pa.Table:
    """Rows of the log; `first` is the number of the first purchase."""
    search_ids = np.array([f"q{i:08d}" if i >= 0 else None for i in purchases.search], object)
    columns = [
        _numbered("p", np.arange(first, first + len(purchases.user)), 8),
        _strings(audience.user_ids[purchases.user]),
        _strings(catalog.item_ids[purchases.item]),
        _times(purchases.timestamp),
        _strings(search_ids),
    ]
    return pa.table(columns, schema=PURCHASES.schema)


def _clicked_lists(catalog: Catalog, results: np.ndarray, clicked: np.ndarray) -> pa.Array:
    offsets = np.concatenate([[0], np.cumsum(clicked.sum(axis=1))])
    return pa.ListArray.from_arrays(
        pa.array(offsets, pa.int32()), _strings(catalog.item_ids[results[clicked]])
    )


def _numbered(prefix: str, numbers: np.ndarray, width: int) -> pa.Array:
    return pa.array([f"{prefix}{number:0{width}d}" for number in numbers.tolist()], pa.string())


def _strings(values: np.ndarray) -> pa.Array:
    return pa.array(values, pa.string())


def _times(microseconds: np.ndarray) -> pa.Array:
    return pa.array(microseconds, pa.int64()).cast(TIMESTAMP)


def _sparse(count: int, rows: np.ndarray, values: list, kind: pa.DataType) -> pa.Array:
    spread: list = [None] * count
    for row, value in zip(rows, values, strict=True):
        spread[row] = value
    return pa.array(spread, kind)
