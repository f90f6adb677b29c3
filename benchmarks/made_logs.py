"""Large logs for `ingest.py`, made of arrays: random, but of the shape that a shop's logs have."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from transforms.logs import CATALOG, IMPRESSIONS, PURCHASES, SEARCHES

START = 1_704_067_200_000_000  # 2024-01-01 UTC in microseconds
DAY = 86_400_000_000
DAYS = 30
IMPRESSIONS_PER_USER = 100
WARM_PURCHASES_PER_USER = 50

_CLICK_RATE = 0.1
_SEARCHES_PER_USER = 2
_ROWS_PER_FILE = 250_000
_ROWS_PER_ROW_GROUP = 50_000


def make_logs(folder: Path, users: int, items: int, seed: int = 0) -> None:
    """Writes the four logs.

    Every user has 50 purchases before the first impression, so that every impression has 50 behaviors;
    items are drawn by a long-tailed law. Pictures are null: nothing here measures their decoding.

    Args:
        folder: where to; it is made.
        users: each has 100 impressions over 30 days.
        items: rows of the catalog.
        seed: of all that is drawn.
    """
    rng = np.random.default_rng(seed)
    _write(folder / CATALOG.name, _catalog(rng, items))
    _write(folder / IMPRESSIONS.name, _impressions(rng, users, items))
    purchases, searches = _purchases_and_searches(rng, users, items)
    _write(folder / PURCHASES.name, purchases)
    _write(folder / SEARCHES.name, searches)


def take_users(logs: Path, folder: Path, users: int) -> None:
    """Copies the logs of the first users: fewer rows, of which each has as many behaviors as before."""
    kept = _names("user", np.arange(users))
    for spec in (CATALOG, IMPRESSIONS, PURCHASES, SEARCHES):
        table = pq.read_table(logs / spec.name)
        if "user_id" in table.column_names:
            table = table.filter(pc.is_in(table.column("user_id"), value_set=kept))
        _write(folder / spec.name, table)


def _catalog(rng: np.random.Generator, items: int) -> pa.Table:
    return pa.table(
        {
            "item_id": _names("item", np.arange(items)),
            "category_id": _names("category", rng.integers(0, 200, items)),
            "shop_id": _names("shop", rng.integers(0, 5_000, items)),
            "title": _names("title of item", np.arange(items)),
            "image": pa.nulls(items, pa.binary()),
            "created_at": _times(START - rng.integers(1, 1_000, items) * DAY),
        }
    )


def _impressions(rng: np.random.Generator, users: int, items: int) -> pa.Table:
    rows = users * IMPRESSIONS_PER_USER
    moments = np.sort(START + rng.integers(0, DAYS * DAY, rows))
    return pa.table(
        {
            "impression_id": _names("impression", np.arange(rows)),
            "user_id": _names("user", rng.permutation(np.arange(rows) % users)),
            "item_id": _names("item", _draw_items(rng, rows, items)),
            "timestamp": _times(moments),
            "clicked": rng.random(rows) < _CLICK_RATE,
            "gender": _names("gender", rng.integers(0, 2, rows)),
            "age_group": _names("age", rng.integers(0, 7, rows)),
            "city": _names("city", rng.integers(0, 300, rows)),
            "placement": _names("placement", rng.integers(0, 4, rows)),
        }
    )


def _purchases_and_searches(rng: np.random.Generator, users: int, items: int) -> tuple[pa.Table, pa.Table]:
    warm, searches = users * WARM_PURCHASES_PER_USER, users * _SEARCHES_PER_USER
    search_times = np.sort(START + rng.integers(0, DAYS * DAY, searches))
    searchers, bought = np.arange(searches) % users, _draw_items(rng, searches, items)
    search_ids = _names("search", np.arange(searches))
    search_table = pa.table(
        {
            "search_id": search_ids,
            "user_id": _names("user", searchers),
            "timestamp": _times(search_times),
            "query_text": _names("words for item", bought),
            "query_image": pa.nulls(searches, pa.binary()),
            "clicked_item_ids": pa.ListArray.from_arrays(
                np.arange(searches + 1) * 3, _names("item", _draw_items(rng, searches * 3, items))
            ),
        }
    )
    buyers = np.concatenate([rng.permutation(np.arange(warm) % users), searchers])
    moments = np.concatenate([np.sort(START - rng.integers(1, DAYS * DAY, warm)), search_times + DAY // 24])
    purchase_table = pa.table(
        {
            "purchase_id": _names("purchase", np.arange(warm + searches)),
            "user_id": _names("user", buyers),
            "item_id": _names("item", np.concatenate([_draw_items(rng, warm, items), bought])),
            "timestamp": _times(moments),
            "search_id": pa.concat_arrays([pa.nulls(warm, pa.string()), search_ids]),
        }
    )
    return purchase_table, search_table


def _draw_items(rng: np.random.Generator, rows: int, items: int) -> np.ndarray:
    """Long-tailed: an item's chance falls about as one over its rank."""
    return (items ** rng.random(rows)).astype(np.int64) - 1


def _names(word: str, numbers: np.ndarray) -> pa.Array:
    return pc.binary_join_element_wise(pa.scalar(word), pa.array(numbers).cast(pa.string()), "_")


def _times(microseconds: np.ndarray) -> pa.Array:
    return pa.array(microseconds, pa.int64()).cast(pa.timestamp("us", tz="UTC"))


def _write(folder: Path, table: pa.Table) -> None:
    folder.mkdir(parents=True)
    for number, start in enumerate(range(0, table.num_rows, _ROWS_PER_FILE)):
        part = table.slice(start, _ROWS_PER_FILE)
        pq.write_table(part, folder / f"part-{number:05d}.parquet", row_group_size=_ROWS_PER_ROW_GROUP)
