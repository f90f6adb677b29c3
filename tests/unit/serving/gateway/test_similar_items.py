"""The nearest items, in memory, beside the embedding index that they follow."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from serving.embedding_index.lmdb_embedding_index import LmdbEmbeddingIndex
from serving.gateway.arrivals import Arrivals
from serving.gateway.config import GatewayConfig
from serving.gateway.similar_items import SimilarItems

CONFIG = GatewayConfig(feed_batch=2, max_added_items=3)
# Of different lengths, for cosines do not know lengths.
VECTORS = {"a": [2, 0], "b": [0, 3], "c": [-1, 0], "none": None}


def vectors(**given: list[float] | None) -> dict[str, np.ndarray | None]:
    return {name: None if each is None else np.array(each, np.float32) for name, each in given.items()}


@pytest.fixture
def index(tmp_path: Path) -> Iterator[LmdbEmbeddingIndex]:
    made = LmdbEmbeddingIndex(tmp_path / "index", max_bytes=1 << 24)
    made.put("1", "image", vectors(**VECTORS))
    made.serve("image", "1")
    yield made
    made.close()


@pytest.fixture
def similar(index: LmdbEmbeddingIndex) -> SimilarItems:
    made = SimilarItems("image", index, CONFIG, Arrivals(lambda *_: None))
    made.refresh("1")
    return made


def found(
    similar: SimilarItems, x: float, y: float, k: int = 10, without: tuple[str, ...] = ()
) -> dict[str, float]:
    pairs = similar.search(np.array([x, y], np.float32), k, without)
    assert pairs is not None
    return {item_id: pytest.approx(cosine, abs=1e-6) for item_id, cosine in pairs}


def new_vectors(similar: SimilarItems, item_ids: list[str]) -> dict[str, np.ndarray]:
    version, vectors = similar.new_vectors(item_ids)
    assert version == similar.version
    return vectors


def follow(similar: SimilarItems) -> int:
    """How often there was more."""
    rounds = 0
    while similar.follow():
        rounds += 1
    return rounds


def test_finds_by_cosine(similar: SimilarItems) -> None:
    assert found(similar, 3, 4) == {"b": 0.8, "a": 0.6, "c": -0.6}
    assert list(found(similar, 3, 4)) == ["b", "a", "c"]
    assert found(similar, 3, 4, 1, ("b",)) == {"a": 0.6}
    assert similar.has("a") and not similar.has("none") and similar.version == "1"
    # Nothing is like nothing.
    assert found(similar, 0, 0, 1) == {"a": 0.0}


def test_without_a_version_nothing_is_found(index: LmdbEmbeddingIndex) -> None:
    similar = SimilarItems("text", index, CONFIG, Arrivals(lambda *_: None))
    similar.refresh(None)
    assert not similar.follow() and found(similar, 1, 0) == {} and similar.version is None
    assert similar.status() == {"items": 0, "added": 0, "not_added": 0}
    # Nor is anything in a version of items without content, until one comes.
    index.put("5", "text", vectors(x=None))
    similar.refresh("5")
    assert similar.version == "5" and found(similar, 1, 0) == {}
    index.put("5", "text", vectors(y=[1, 0]), announce=True)
    follow(similar)
    assert found(similar, 1, 0) == {"y": 1.0}


def test_takes_in_what_is_announced(similar: SimilarItems, index: LmdbEmbeddingIndex) -> None:
    index.put("1", "image", vectors(silent=[1, 0]))
    index.put("1", "image", vectors(d=[0, -5], e=[-3, -4], b=[5, 0]), announce=True)
    assert follow(similar) == 1
    assert found(similar, 0, -1) == {"d": 1.0, "e": 0.8, "a": 0.0, "b": 0.0, "c": 0.0}
    assert {name: each.tolist() for name, each in new_vectors(similar, ["d", "a"]).items()} == {"d": [0, -5]}
    assert similar.status() == {"items": 5, "added": 3, "not_added": 0}
    # An announced vector that is the one at hand takes no room. Of the announced ones the last three are kept.
    index.put("1", "image", vectors(a=[2, 0]), announce=True)
    follow(similar)
    assert similar.status() == {"items": 5, "added": 3, "not_added": 0}
    assert list(new_vectors(similar, ["a", "d", "b"])) == ["a", "b"]


def test_an_item_that_loses_its_content_and_gets_another(
    similar: SimilarItems, index: LmdbEmbeddingIndex
) -> None:
    index.put("1", "image", vectors(a=None, none=None), announce=True)
    follow(similar)
    assert found(similar, 1, 0) == {"b": 0.0, "c": -1.0} and not similar.has("a")
    assert similar.status()["items"] == 2 and not new_vectors(similar, ["a"])
    index.put("1", "image", vectors(a=[2, 0]), announce=True)
    follow(similar)
    assert list(found(similar, 1, 0)) == ["a", "b", "c"] and similar.has("a")


def test_another_version_replaces_all(similar: SimilarItems, index: LmdbEmbeddingIndex) -> None:
    index.put("1", "image", vectors(d=[1, 1]), announce=True)
    follow(similar)
    index.put("2", "image", vectors(a=[0, 1, 0], e=[1, 0, 0]), announce=True)
    similar.refresh("1")
    assert similar.version == "1"
    similar.refresh("2")
    assert similar.version == "2" and not similar.has("d")
    query = np.array([1, 0, 0], np.float32)
    assert similar.search(query, 5, version="1") is None
    pairs = similar.search(query, 5, version="2")
    assert pairs is not None and [item_id for item_id, _ in pairs] == ["e", "a"]
    # What was announced is in what was read.
    follow(similar)
    assert similar.status() == {"items": 2, "added": 0, "not_added": 0}
    assert list(new_vectors(similar, ["e"])) == ["e"]


def test_counts_what_it_has_no_room_for(index: LmdbEmbeddingIndex) -> None:
    arrived: list[str] = []
    arrivals = Arrivals(lambda stage, seconds: arrived.extend([stage] * len(seconds)))
    for item_id in "def":
        arrivals.expect(item_id, 0.0, ["image"])
    similar = SimilarItems("image", index, replace(CONFIG, max_added_items=1), arrivals)
    similar.refresh("1")
    index.put("1", "image", vectors(d=[1, 1], e=[1, 2], f=[1, 3]), announce=True)
    follow(similar)
    assert similar.status() == {"items": 4, "added": 1, "not_added": 2}
    assert arrived == ["searchable"]
    # There is room again once they are all read, which needs no announcement.
    similar.refresh("1")
    follow(similar)
    assert similar.status() == {"items": 6, "added": 0, "not_added": 0}
    assert similar.has("e") and similar.has("f") and arrived == ["searchable"] * 3


def test_a_new_catalog_of_the_same_encoder(similar: SimilarItems, index: LmdbEmbeddingIndex) -> None:
    index.put("1", "image", vectors(d=[1, 1]), announce=True)
    follow(similar)
    index.put("1", "image", vectors(silent=[0, 9], b=[5, 0]))
    similar.refresh("1")
    assert not similar.has("silent") and found(similar, 5, 0)["b"] == 0.0
    similar.refresh("1", "release 2")
    assert similar.has("silent") and found(similar, 5, 0)["b"] == 1.0
    # What was announced stays known as such.
    assert list(new_vectors(similar, ["d"])) == ["d"]
    index.put("1", "image", vectors(late=[0, 1]))
    similar.refresh("1", "release 2")
    assert not similar.has("late")
