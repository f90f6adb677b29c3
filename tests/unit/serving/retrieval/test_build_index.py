"""Building: what is exact, what the recall is, and what is refused."""

import numpy as np
import pytest

from serving.retrieval import build_index as module
from serving.retrieval.build_index import build_index, measure_recall
from serving.retrieval.config import IndexConfig
from serving.retrieval.scann_parameters import ScannParameters
from transforms.input_error import InputError

NUM_ITEMS, DIM = 4_000, 16
RNG = np.random.default_rng(0)
VECTORS = RNG.standard_normal((NUM_ITEMS, DIM), np.float32)
IDS = [f"item {number}" for number in range(NUM_ITEMS)]
QUERIES = RNG.standard_normal((200, DIM), np.float32)


def test_measure_recall_by_hand():
    exact = np.array([[9, 5, 5], [3, 2, 1]], np.float32)
    # The first query found 9 and another item of score 5, and lacks one; the second found 3 and 1, for 0.5 is below.
    found = np.array([[9, 5, -np.inf], [3, 1, 0.5]], np.float32)
    assert measure_recall(found, exact) == pytest.approx(4 / 6)


def test_measure_recall_takes_negative_scores():
    exact = np.array([[-1, -2]], np.float32)
    assert measure_recall(np.array([[-1, -2.1]], np.float32), exact) == 0.5
    assert measure_recall(np.array([[-1, -2.000001]], np.float32), exact) == 1


def test_few_items_are_searched_exactly():
    index = build_index(IDS, VECTORS, "v7", IndexConfig(exact_below=NUM_ITEMS + 1))
    found, _ = index.search(QUERIES[:1], 5)
    best = np.argsort(-(VECTORS @ QUERIES[0]))[:5]
    assert found == [[IDS[place] for place in best]]
    described = index.description
    assert (described.version, described.num_items, described.dim) == ("v7", NUM_ITEMS, DIM)
    assert (described.parameters, described.recall, described.num_recall_queries) == (None, 1, 0)


def test_recall_reaches_what_was_asked_for_and_is_what_is_measured_apart():
    config = IndexConfig(exact_below=0, min_recall=0.97, recall_at=50)
    index = build_index(IDS, VECTORS, "v", config, QUERIES)
    assert index.description.parameters is not None
    assert index.description.recall >= 0.97
    # By sets of ids, with every score computed: Gaussian scores have no ties.
    found, _ = index.search(QUERIES, 50)
    exact = np.argsort(-(QUERIES @ VECTORS.T), axis=1)[:, :50]
    shared = [len(set(ids) & {IDS[place] for place in row}) for ids, row in zip(found, exact, strict=True)]
    assert np.mean(shared) / 50 == pytest.approx(index.description.recall, abs=1e-6)


def test_more_recall_takes_a_wider_search():
    narrow, wide = (
        build_index(IDS, VECTORS, "v", IndexConfig(exact_below=0, min_recall=least), QUERIES).description
        for least in (0.5, 0.99)
    )
    assert narrow.parameters.leaves_to_search(100) < wide.parameters.leaves_to_search(100)
    assert narrow.recall < wide.recall


def test_refuses_a_recall_that_cannot_be_had(monkeypatch):
    # One code for 16 numbers, and exact scores of hardly more than k items: too coarse however widely it is searched.
    coarse = ScannParameters(
        num_leaves=20,
        training_sample_size=NUM_ITEMS,
        dimensions_per_block=16,
        anisotropic_threshold=0.2,
        leaf_factor=20.0,
        reorder_factor=1.0,
        min_k=1,
    )
    monkeypatch.setattr(module, "choose_parameters", lambda *sizes: coarse)
    monkeypatch.setattr("serving.retrieval.scann_parameters.MAX_REORDER_FACTOR", 1.5)
    with pytest.raises(
        InputError, match=r"find 0\.99 of the top 10 items \(min_recall\), got 0\.\d{4}"
    ) as caught:
        build_index(IDS, VECTORS, "v", IndexConfig(exact_below=0, min_recall=0.99, recall_at=10), QUERIES)
    assert "\n" not in str(caught.value)


def test_without_queries_items_are_asked_with():
    config = IndexConfig(exact_below=0, num_recall_queries=30)
    described = build_index(IDS, VECTORS, "v", config).description
    assert described.num_recall_queries == 30
    assert described.recall >= 0.95


def test_items_that_are_all_the_same_are_no_lack_of_recall():
    same = np.ones((2_000, 8), np.float32)
    index = build_index(IDS[:2_000], same, "v", IndexConfig(exact_below=0))
    assert index.description.recall == 1
    found, scores = index.search(np.ones((1, 8), np.float32), 10)
    assert len(set(found[0])) == 10
    assert scores[0].tolist() == [8.0] * 10


@pytest.mark.parametrize(
    ("ids", "vectors", "message"),
    [
        (["a", "a"], np.zeros((2, 3), np.float32), "1 doubles among 2"),
        (["a"], np.zeros((2, 3), np.float32), r"shape \[1, dim\], got \[2, 3\]"),
        (["a"], np.zeros(3, np.float32), r"got \[3\]"),
        (["a"], np.zeros((1, 3)), "float32, got float64"),
        (["a"], np.full((1, 3), np.nan, np.float32), "NaN or infinity"),
        ([1], np.zeros((1, 3), np.float32), "ids as text"),
        (["a", None], np.zeros((2, 3), np.float32), "1 nulls"),
    ],
)
def test_refuses_items(ids, vectors, message):
    with pytest.raises(InputError, match=message):
        build_index(ids, vectors, "v")


@pytest.mark.parametrize(
    "queries",
    [np.zeros((5, 3), np.float32), np.zeros((0, DIM), np.float32), np.zeros((5, DIM)), QUERIES * np.nan],
)
def test_refuses_queries(queries):
    with pytest.raises(InputError, match="expected queries"):
        build_index(IDS, VECTORS, "v", IndexConfig(exact_below=0), queries)
