"""Writes the four logs of a simulated marketplace, and the truth about it beside them."""

import json
import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pyarrow.parquet as pq

from sources.marketplace.ads import show_ads
from sources.marketplace.audience import Audience, make_audience
from sources.marketplace.catalog import Catalog, make_catalog
from sources.marketplace.clock import DAY, START, spread
from sources.marketplace.oracle import Oracle
from sources.marketplace.params import MarketplaceParams
from sources.marketplace.part_writer import PartWriter
from sources.marketplace.purchasing import after_clicks, after_searches, join, no_purchases
from sources.marketplace.randomness import make_rng
from sources.marketplace.searching import search
from sources.marketplace.shelf import Shelf
from sources.marketplace.tables import (
    IMPRESSION_TRUTH_SCHEMA,
    IMPRESSIONS_SCHEMA,
    catalog_table,
    impressions_tables,
    item_truth_table,
    purchases_table,
    searches_table,
)
from transforms.input_error import InputError
from transforms.logs import CATALOG, PURCHASES, SEARCHES

Progress = Callable[[str, int, int], None]

# Rows with pictures are written in small groups, so that a reader never holds many pictures.
_PICTURE_ROWS = 1_024
_EVENT_ROWS = 65_536
_CATALOG_PART_ROWS = 16_384
_MIN_CATALOG_PARTS = 4
_TEST_SHARE = 0.1


def simulate(params: MarketplaceParams, out: Path, progress: Progress | None = None) -> dict:
    """Writes catalog, impressions, searches and purchases below `out`, the truth in `truth_folder(out)`.

    Works day by day and holds the items without their pictures, the users and one day's events. Files
    follow from the parameters alone: the same ones give the same bytes.

    Args:
        params: of the marketplace.
        out: a folder that is empty or does not exist; so must be the truth's.
        progress: called with the log, the rows done and all its rows.
    Returns:
        What simulation.json holds: parameters, rows of the logs, click_rate and oracle_auc, the AUC of the
        true probabilities over the last tenth of the impressions by time.
    Raises:
        InputError: if a folder is not empty.
    """
    out = Path(out)
    truth = truth_folder(out)
    for folder in (out, truth):
        _check_empty(folder)
    truth.mkdir(parents=True, exist_ok=True)
    report = progress or (lambda log, done, total: None)
    catalog, audience = make_catalog(params), make_audience(params)
    pq.write_table(item_truth_table(catalog), truth / "items.parquet", row_group_size=_EVENT_ROWS)
    _write_catalog(params, catalog, out, report)
    days = _Days(params, catalog, audience, out, truth)
    days.write(report)
    summary = {
        "parameters": asdict(params),
        "rows": {"catalog": len(catalog), **days.rows()},
        "click_rate": days.oracle.clicks / days.oracle.seen,
        "oracle_auc": _known(days.oracle.auc()),
    }
    (truth / "simulation.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    return summary


def truth_folder(out: Path) -> Path:
    """Where the truth about the logs in `out` lies: beside them, never among them."""
    return Path(str(out).rstrip("/") + "_truth")


def _check_empty(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} must be an empty folder or not exist: remove it or choose another --out")


def _known(value: float) -> float | None:
    """JSON has no NaN: an AUC that needs clicks and has none is null."""
    return None if math.isnan(value) else value


def _write_catalog(params: MarketplaceParams, catalog: Catalog, out: Path, report: Progress) -> None:
    count = len(catalog)
    part_rows = min(_CATALOG_PART_ROWS, math.ceil(count / _MIN_CATALOG_PARTS))
    with PartWriter(out / "catalog", CATALOG.schema, _PICTURE_ROWS) as writer:
        for part_start in range(0, count, part_rows):
            part_stop = min(part_start + part_rows, count)
            for start in range(part_start, part_stop, _PICTURE_ROWS):
                stop = min(start + _PICTURE_ROWS, part_stop)
                writer.write(catalog_table(params, catalog, start, stop))
                report("catalog", stop, count)
            writer.end_part()


class _Days:
    """Simulates the days one after the other and writes a part of each log a day.

    Args:
        params: of the marketplace.
        catalog: the products.
        audience: the users.
        out: the folder of the logs.
        truth: the folder of the truth.
    """

    def __init__(
        self, params: MarketplaceParams, catalog: Catalog, audience: Audience, out: Path, truth: Path
    ) -> None:
        self.params = params
        self.catalog = catalog
        self.audience = audience
        self.oracle = Oracle(skip=params.num_impressions - math.ceil(_TEST_SHARE * params.num_impressions))
        self.impressions = PartWriter(out / "impressions", IMPRESSIONS_SCHEMA, _EVENT_ROWS)
        self.searches = PartWriter(out / "searches", SEARCHES.schema, _PICTURE_ROWS)
        self.purchases = PartWriter(out / "purchases", PURCHASES.schema, _EVENT_ROWS)
        self.truth = pq.ParquetWriter(truth / "impressions.parquet", IMPRESSION_TRUTH_SCHEMA)
        self._pending = no_purchases()

    def write(self, report: Progress) -> None:
        params = self.params
        num_ads = spread(params.num_impressions, params.num_days)
        num_searches = spread(params.num_searches, params.num_days)
        with self.impressions, self.searches, self.purchases, self.truth:
            for day in range(params.num_days):
                shelf = Shelf(self.catalog, params, day)
                self._write_ads(shelf, day, num_ads[day])
                report("impressions", self.impressions.rows, params.num_impressions)
                self._write_searches(shelf, day, num_searches[day])
                report("searches", self.searches.rows, params.num_searches)
                self._write_purchases(day)

    def rows(self) -> dict[str, int]:
        return {log.folder.name: log.rows for log in (self.impressions, self.searches, self.purchases)}

    def _write_ads(self, shelf: Shelf, day: int, count: int) -> None:
        rng = make_rng(self.params.seed, "impressions", day)
        ads = show_ads(rng, self.params, self.catalog, self.audience, shelf, day, count)
        log, truth = impressions_tables(self.catalog, self.audience, ads, self.impressions.rows)
        self.impressions.write(log)
        self.impressions.end_part()
        self.truth.write_table(truth, row_group_size=_EVENT_ROWS)
        self.oracle.add(ads.click_probability, ads.clicked)
        self._pending = join([self._pending, after_clicks(rng, self.params, ads)])

    def _write_searches(self, shelf: Shelf, day: int, count: int) -> None:
        first = self.searches.rows
        rng = make_rng(self.params.seed, "searches", day)
        found = search(rng, self.params, self.catalog, self.audience, shelf, day, count)
        self._pending = join([self._pending, after_searches(rng, self.params, found, first)])
        photo_rng = make_rng(self.params.seed, "photos", day)
        for start in range(0, count, _PICTURE_ROWS):
            rows = slice(start, start + _PICTURE_ROWS)
            self.searches.write(
                searches_table(photo_rng, self.params, self.catalog, self.audience, found, first, rows)
            )
        self.searches.end_part()

    def _write_purchases(self, day: int) -> None:
        """Writes what is bought on this day; what is bought after the last day is beyond the logs."""
        done, self._pending = self._pending.before(START + (day + 1) * DAY)
        self.purchases.write(purchases_table(self.catalog, self.audience, done, self.purchases.rows))
        self.purchases.end_part()
