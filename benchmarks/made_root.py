"""A root that is as large as wanted: made models, catalog and embeddings, released as the pipeline releases them."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from benchmarks.made_requests import (
    EMBEDDING_DIM,
    FEATURES,
    KNOWN_ITEMS,
    LENGTH,
    MODALITIES,
    NUM_USERS,
    SPEC,
    analyze,
    assign_random_weights,
    count_table_rows,
    make_embeddings,
    make_index,
    make_item,
    make_item_ids,
    make_user,
)
from benchmarks.reporting import progress
from benchmarks.retrieve import make_vectors
from benchmarks.staged_request import save_made_model

# isort: split
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow_transform as tft

from models.ctr.config import CtrConfig
from models.ctr.model import CtrModel
from serving.release.release import Release
from serving.release.released_ctr import ReleasedCtr
from serving.release.released_encoder import ReleasedEncoder
from serving.release.released_recall import ReleasedRecall
from serving.release.sample_user import SampleUser
from serving.retrieval.build_index import build_index
from serving.retrieval.config import IndexConfig
from serving.signatures import save_ctr_model
from serving.warm_up_requests import write_warm_up_requests

VERSION = "1"
TUNING = 1_000


def make_root(folder: Path, encoders: Path, num_users: int) -> None:
    """Writes `serving/` with everything that `adlens serve` needs, for the 100,000 items of `made_requests`.

    The models of clicks and of recall are of the default size and have random weights, as in `score.py` and
    `retrieve.py`; the recall index has vectors like those of a trained model, of the same dimension.

    Args:
        folder: the root.
        encoders: the root of a run, whose encoders are taken; their vectors have 128 numbers too.
        num_users: sample users.
    """
    rng = np.random.default_rng(0)
    serving = folder / "serving"
    transform_output = analyze(rng, str(folder / "transform"))
    progress("making the model of clicks")
    _save_ctr(rng, transform_output, serving / "ctr" / VERSION)
    progress("making the model of recall, and its index")
    _save_recall(rng, transform_output, serving / "recall" / VERSION)
    shutil.rmtree(folder / "transform")
    released = {
        modality: _copy_encoder(encoders / "serving", serving, f"{modality}_encoder")
        for modality in MODALITIES
    }
    progress("making the catalog")
    items = serving / "items" / VERSION
    _write_catalog(items / "catalog")
    _write_embeddings(items / "embeddings", make_embeddings(rng, KNOWN_ITEMS))
    Release(
        number=1,
        ctr=ReleasedCtr(VERSION, CtrConfig().integration, CtrConfig().num_tiers),
        recall=ReleasedRecall(VERSION),
        encoders=released,
        catalog=str(items / "catalog"),
        embeddings=str(items / "embeddings"),
        sample_users=tuple(_sample_user(rng) for _ in range(num_users)),
    ).write(serving / "release.json")


def _save_ctr(rng: np.random.Generator, transform_output: tft.TFTransformOutput, folder: Path) -> None:
    vectors = make_embeddings(rng, KNOWN_ITEMS)
    shapes = {modality: table.shape for modality, table in vectors.items()}
    model = CtrModel(FEATURES, count_table_rows(transform_output), CtrConfig(), shapes)
    assign_random_weights(rng, model)
    model.embeddings.assign(vectors)
    layer = transform_output.transform_features_layer()
    save_ctr_model(model, layer, SPEC, FEATURES, LENGTH, str(folder), make_index(KNOWN_ITEMS))
    write_warm_up_requests(str(folder))


def _save_recall(rng: np.random.Generator, transform_output: tft.TFTransformOutput, folder: Path) -> None:
    save_made_model(rng, transform_output, KNOWN_ITEMS, str(folder))
    vectors, users = make_vectors(rng, KNOWN_ITEMS, TUNING)
    config = IndexConfig(exact_below=0)
    build_index(make_item_ids(KNOWN_ITEMS), vectors, VERSION, config, users).save(
        folder / "assets.extra" / "index"
    )
    write_warm_up_requests(str(folder))


def _copy_encoder(source: Path, target: Path, name: str) -> ReleasedEncoder:
    version = max((path.name for path in (source / name).iterdir() if path.name.isdecimal()), key=int)
    shutil.copytree(source / name / version, target / name / version)
    return ReleasedEncoder(version, "made")


def _write_catalog(folder: Path) -> None:
    folder.mkdir(parents=True)
    items = [make_item(item) for item in range(KNOWN_ITEMS)]
    columns = {name: [item[name][0] for item in items] for name in ("item_id", "category_id", "shop_id")}
    titles = [f"item {item} of category {columns['category_id'][item]}" for item in range(KNOWN_ITEMS)]
    table = pa.table(columns | {"title": titles, "image": pa.nulls(KNOWN_ITEMS, pa.binary())})
    pq.write_table(table, folder / "catalog-00000.parquet")


def _write_embeddings(folder: Path, vectors: dict[str, np.ndarray]) -> None:
    folder.mkdir(parents=True)
    columns: dict[str, Sequence] = {"item_id": make_item_ids(KNOWN_ITEMS)}
    for modality, table in vectors.items():
        values = pa.array(table[1:].ravel())
        offsets = pa.array(np.arange(0, len(values) + 1, EMBEDDING_DIM, dtype=np.int32))
        columns[f"{modality}_embedding"] = pa.ListArray.from_arrays(offsets, values)
        columns[f"{modality}_encoder"] = ["made"] * KNOWN_ITEMS
    pq.write_table(pa.table(columns), folder / "embeddings-00000.parquet")


def _sample_user(rng: np.random.Generator) -> SampleUser:
    behaviors = rng.integers(KNOWN_ITEMS, size=LENGTH).tolist()
    row = make_user(int(rng.integers(NUM_USERS)), behaviors)
    user = {
        name: row[name][0] for name in ("user_id", *(each.name for each in FEATURES if each.side == "user"))
    }
    items = [make_item(item) for item in behaviors]
    return SampleUser(user, tuple({name: values[0] for name, values in item.items()} for item in items))
