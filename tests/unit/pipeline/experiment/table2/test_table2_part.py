"""Which methods Table 2 compares."""

import dataclasses
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.config import RunConfig
from pipeline.experiment.bench import Bench
from pipeline.experiment.ingested import Ingested
from pipeline.experiment.store import ResultStore
from pipeline.experiment.table2.part import choose_methods
from transforms.input_error import InputError
from transforms.log_counts import COUNTS_FILE

TRAIN_END = datetime(2026, 3, 1, tzinfo=UTC)
BEFORE = datetime(2026, 2, 28, tzinfo=UTC)


def make_bench(folder: Path, created_at: datetime | None, methods: tuple[str, ...] = ()) -> Bench:
    """Over a catalog of one item with a title and a picture."""
    catalog = {"item_id": ["i"], "title": ["red shoe"], "image": [b"1"]}
    times = pa.array([created_at], pa.timestamp("us", tz="UTC"))
    pq.write_table(pa.table(catalog | {"created_at": times}), folder / "catalog.parquet")
    (folder / COUNTS_FILE).write_text(json.dumps({"boundaries": {"train_end": TRAIN_END.isoformat()}}))
    ingested = Ingested("pairs", str(folder), str(folder), str(folder), "data")
    store = ResultStore(str(folder / "results"), "data")
    return Bench(RunConfig(), methods, 1, ingested, store, "checkpoints", "logs", no_clicks, io.StringIO())


def no_clicks() -> NoReturn:
    raise AssertionError("encoders have no use for them")


def names(bench: Bench) -> list[str]:
    return [method.name for method in choose_methods(bench)]


def said(bench: Bench) -> str:
    assert isinstance(bench.out, io.StringIO)
    return bench.out.getvalue()


def test_all_where_items_are_known_to_be_old_enough(tmp_path: Path) -> None:
    bench = make_bench(tmp_path, BEFORE)
    assert names(bench) == [
        "backbone",
        "title_image",
        "scl",
        "scl_without_triplet",
        "scl_without_triplet_and_bank",
    ]
    assert not said(bench)


@pytest.mark.parametrize("created_at", [None, TRAIN_END], ids=["of unknown age", "too young"])
def test_titles_and_pictures_are_left_out_where_there_are_none_to_learn_from(
    tmp_path: Path, created_at: datetime | None
) -> None:
    bench = make_bench(tmp_path, created_at)
    assert names(bench) == ["backbone", "scl", "scl_without_triplet", "scl_without_triplet_and_bank"]
    assert said(bench).startswith("title_image left out: no item with a title and a picture says")


def test_those_that_are_named_in_the_papers_order(tmp_path: Path) -> None:
    bench = make_bench(tmp_path, None, ("scl", "title_image"))
    assert names(bench) == ["title_image", "scl"]
    with pytest.raises(InputError, match="table2 knows the methods backbone, .* got 'clip'"):
        choose_methods(dataclasses.replace(bench, methods=("clip",)))
