"""A recall index that follows what is announced, with a model in place of the model server's."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving.embedding_index.lmdb_embedding_index import LmdbEmbeddingIndex
from serving.gateway.arrivals import Arrivals
from serving.gateway.config import GatewayConfig
from serving.gateway.errors import ModelRefused, PartUnavailable
from serving.gateway.model_client import Inputs, Prediction
from serving.gateway.recall_version import INDEX_FOLDER, RecallVersion
from serving.gateway.signature import Input, Signature
from serving.gateway.tensors import Strings
from serving.item_store.lmdb_item_store import LmdbItemStore
from serving.item_store.stored_item import StoredItem
from serving.retrieval.build_index import build_index

TEXT, NUMBER = np.dtype(object), np.dtype(np.float32)
SIGNATURE = Signature(
    "7",
    {
        "item_id": Input(TEXT, (None,)),
        "shop_id": Input(TEXT, (None,)),
        "price": Input(NUMBER, (None,)),
        "image_embedding": Input(NUMBER, (None, 2)),
    },
)


class Pricing:
    """An item's vector is its picture's, and its price; "nan" has none, and "bad" fails its batch."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.is_down = False

    def ask(
        self, model: str, signature: str, inputs: Callable[[Signature], Inputs], timeout: float, version: str
    ) -> Prediction:
        assert (model, signature, version) == ("recall", "item_vectors", "7")
        if self.is_down:
            raise PartUnavailable("down")
        given: Any = inputs(SIGNATURE)
        item_ids = [each.decode() for each in given["item_id"].values]
        assert isinstance(given["shop_id"], Strings)
        self.batches.append(item_ids)
        if "bad" in item_ids:
            raise ModelRefused("bad")
        vectors = np.column_stack([given["image_embedding"], np.nan_to_num(given["price"])])
        vectors[[item_id == "nan" for item_id in item_ids]] = np.nan
        return Prediction("7", {"item_vector": vectors})


@pytest.fixture
def index(tmp_path: Path) -> Iterator[LmdbEmbeddingIndex]:
    made = LmdbEmbeddingIndex(tmp_path / "embeddings", max_bytes=1 << 24)
    yield made
    made.close()


@pytest.fixture
def items(tmp_path: Path) -> Iterator[LmdbItemStore]:
    made = LmdbItemStore(tmp_path / "items", max_bytes=1 << 24)
    yield made
    made.close()


@pytest.fixture
def models() -> Pricing:
    return Pricing()


@pytest.fixture
def arrived() -> list[str]:
    return []


@dataclass
class Serving:
    """Which encoder version is served, and whether the model was made with it."""

    encoder: str = "1"
    fits: bool = True


@pytest.fixture
def serving() -> Serving:
    return Serving()


@pytest.fixture
def version(
    tmp_path: Path,
    index: LmdbEmbeddingIndex,
    items: LmdbItemStore,
    models: Any,
    arrived: list[str],
    serving: Serving,
) -> RecallVersion:
    built = build_index(["a"], np.array([[1, 0, 0]], np.float32), "7")
    built.save(tmp_path / "7" / INDEX_FOLDER)
    arrivals = Arrivals(lambda stage, seconds: arrived.extend([stage] * len(seconds)))
    arrivals.expect("b", 0.0, ["image"])
    arrivals.expect("bad", 0.0, ["image"])
    config = GatewayConfig(feed_batch=3)
    return RecallVersion(
        "7",
        tmp_path / "7",
        served=lambda: {"image": serving.encoder},
        fits=lambda *_: serving.fits,
        models=models,
        index=index,
        items=items,
        config=config,
        arrivals=arrivals,
    )


def announce(index: LmdbEmbeddingIndex, items: LmdbItemStore, *item_ids: str, price: float = 5.0) -> None:
    stored = [StoredItem(item_id, "c", "s", None, {"price": price}) for item_id in item_ids]
    items.put(stored, {})
    index.put("1", "image", {each: np.array([0, 1], np.float32) for each in item_ids}, announce=True)


def scores(version: RecallVersion) -> dict[str, float]:
    ids, found = version.search(np.array([0, 2, 1], np.float32), 10, [])
    return dict(zip(ids, found.tolist(), strict=True))


def test_takes_in_announced_items_with_their_columns(
    version: RecallVersion, index: LmdbEmbeddingIndex, items: LmdbItemStore, arrived: list[str]
) -> None:
    assert not version.follow() and scores(version) == {"a": 0} and not version.has("b")
    announce(index, items, "b")
    # Of an item that the store does not know, only the vector counts.
    index.put("1", "image", {"stray": np.array([0, 1], np.float32)}, announce=True)
    assert not version.follow()
    assert scores(version) == {"b": 7, "stray": 2, "a": 0} and version.has("b")
    assert arrived == ["recallable"]
    announce(index, items, "b", price=-1.0)
    version.follow()
    assert scores(version)["b"] == 1
    assert version.search(np.array([0, 2, 1], np.float32), 1, ["stray"])[0] == ["b"]


def test_what_was_announced_comes_again_after_an_outage(
    version: RecallVersion, index: LmdbEmbeddingIndex, items: LmdbItemStore, models: Pricing
) -> None:
    models.is_down = True
    announce(index, items, "b")
    for _ in range(2):
        with pytest.raises(PartUnavailable):
            version.follow()
    models.is_down = False
    version.follow()
    assert version.has("b")


def test_an_item_that_the_model_fails_at_costs_itself_alone(
    version: RecallVersion,
    index: LmdbEmbeddingIndex,
    items: LmdbItemStore,
    models: Pricing,
    arrived: list[str],
) -> None:
    announce(index, items, "b", "bad", "nan")
    assert version.follow()
    assert models.batches == [["b", "bad", "nan"], ["b"], ["bad"], ["nan"]]
    assert set(scores(version)) == {"a", "b"} and arrived == ["recallable"]
    assert version.status() == {"items": 2, "added": 1, "not_added": 2}
    # They are not tried for ever.
    assert not version.follow() and len(models.batches) == 4


def test_another_encoder_costs_none_of_what_was_added(
    version: RecallVersion, index: LmdbEmbeddingIndex, items: LmdbItemStore, serving: Serving
) -> None:
    announce(index, items, "b")
    version.follow()
    # The model was not made with what is served now: a new item has its columns alone, b keeps what it has.
    serving.encoder, serving.fits = "2", False
    items.put([StoredItem("c", "c", "s", None, {"price": 5.0})], {})
    index.put("2", "image", {each: np.array([9, 9], np.float32) for each in "bc"}, announce=True)
    version.follow()
    assert scores(version) == {"b": 7, "c": 5, "a": 0}
    # Once it is known to fit, all of it counts.
    serving.fits = True
    version.follow()
    assert scores(version) == {"b": 23, "c": 23, "a": 0}
