"""From a trained model's own signatures to figures, over real files: what training, serving and measuring share."""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.recall_evaluator.config import RecallEvaluatorConfig
from components.recall_evaluator.measurement import RecallMeasurement, measure
from components.recall_evaluator.recall_inputs import CatalogItems, HeldOutUsers
from components.recall_evaluator.saved_recall import SavedRecall
from components.recall_trainer.training import RecallSources, train_recall
from models.recall.config import RecallConfig

sys.path.append(str(Path(__file__).resolve().parents[3] / "support"))
from made_clicks import (
    DIMS,
    INGEST,
    NUM_ITEMS,
    Row,
    make_item,
    make_row,
    make_rows,
    make_vectors,
    write_embeddings,
    write_split,
    write_transform,
)

SIZES = {"embedding_dim": 4, "content_dim": 3, "batch_size": 16, "queue_size": 16, "epochs": 1}
CONFIG = RecallEvaluatorConfig(k=5, ks=(1,), num_retrieved=1_000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    rows = make_rows(100)
    write_split(folder / "examples", "train", rows)
    write_transform(folder / "transform", rows)
    write_embeddings(folder / "embeddings", make_vectors())
    (folder / "item_stats").mkdir()
    ids = [f"i{item}" for item in range(NUM_ITEMS)]
    stats = {"item_id": ids, "impressions": [9] * NUM_ITEMS, "clicks": list(range(NUM_ITEMS))}
    pq.write_table(pa.table(stats), folder / "item_stats" / "item_stats.parquet")
    return folder


@pytest.fixture(scope="module")
def recall(folder: Path) -> SavedRecall:
    sources = RecallSources(
        str(folder / "examples/Split-train"),
        str(folder / "transform"),
        str(folder / "item_stats"),
        str(folder / "embeddings"),
        INGEST,
    )
    module, _ = train_recall(sources, RecallConfig(modalities=tuple(DIMS), **SIZES))
    return SavedRecall(module.signatures())


def measured(
    recall: SavedRecall, folder: Path, place: Path, catalog: Sequence[Row], asked: Sequence[Row]
) -> tuple[CatalogItems, HeldOutUsers, RecallMeasurement]:
    """What a catalog of these items brings for these clicked impressions."""
    (place / "catalog").mkdir()
    columns = {name: [(item[name] or [None])[0] for item in catalog] for name in make_item(0)}
    pq.write_table(pa.table(columns), place / "catalog" / "catalog.parquet")
    write_split(place, "test", asked)
    items = CatalogItems.read(str(place / "catalog"), str(folder / "item_stats"), recall.item_specs)
    users = HeldOutUsers.read([str(place / "Split-test")], items, recall.user_specs, 1_000, 0)
    return items, users, measure(recall, users, items, CONFIG)


def clicked(number: int, behaviors: Sequence[int]) -> Row:
    return make_row(number, behaviors) | {"clicked": [1]}


def test_stages_over_the_whole_catalog_are_the_exact_mode(
    recall: SavedRecall, folder: Path, tmp_path: Path
) -> None:
    new = {"item_id": ["new"], "category_id": ["c1"], "shop_id": [], "brand": [], "price": []}
    asked = [clicked(n, [n % 7, 3, 9][: n % 4]) for n in range(20)]
    items, users, found = measured(
        recall, folder, tmp_path, [*(make_item(n) for n in range(NUM_ITEMS)), new], asked
    )
    assert found.item_vectors.shape == (NUM_ITEMS + 1, 4 + 3) and np.isfinite(found.item_vectors).all()
    assert items.is_new.tolist() == [False] * NUM_ITEMS + [True]
    np.testing.assert_array_equal(users.items, [n % NUM_ITEMS for n in range(20)])
    # Products in another order may set two almost equal items the other way around.
    assert np.abs(found.ranks["staged"] - found.ranks["exact"]).max() <= 1
    scores = found.user_vectors @ found.item_vectors.T
    own = scores[np.arange(20), users.items][:, None]
    assert np.abs(found.ranks["retrieved"] - (scores > own).sum(axis=1)).max() <= 1


def test_users_of_whom_nothing_is_known_and_one_item(
    recall: SavedRecall, folder: Path, tmp_path: Path
) -> None:
    # Nobody has a behavior, so that not even a column of them is left.
    nobody = clicked(3, []) | {"user_id": ["nobody"], "gender": []}
    _, users, found = measured(
        recall, folder, tmp_path, [make_item(3)], [nobody, clicked(3, []), clicked(4, [])]
    )
    assert users.columns["behavior_item_id"].shape == (3, 0)
    assert np.isfinite(found.user_vectors).all()
    for way in ("retrieved", "staged", "exact", "popular"):
        assert found.figures["stages"][way]["all"]["click_recall"] == pytest.approx({"1": 2 / 3, "5": 2 / 3})


def test_a_catalog_without_content_and_without_anything_known(
    recall: SavedRecall, folder: Path, tmp_path: Path
) -> None:
    catalog = [make_item(0) | {"item_id": [f"n{n}"]} for n in range(3)]
    _, _, found = measured(recall, folder, tmp_path, catalog, [clicked(1, [1, 2]) | {"item_id": ["n1"]}])
    # Three items that nothing tells apart: the click's is second by its place.
    assert [found.ranks[way].tolist() for way in ("retrieved", "staged", "exact", "popular")] == [[1]] * 4
    assert found.figures["recalled"] == {
        "mean_clicks": 0.0,
        "long_tail_share": 1.0,
        "new_share": 1.0,
        "coverage": 1.0,
    }
