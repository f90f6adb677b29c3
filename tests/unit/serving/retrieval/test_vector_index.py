"""The index against a dictionary that is searched by hand."""

import json
import shutil
import threading
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.retrieval.build_index import build_index
from serving.retrieval.config import IndexConfig
from serving.retrieval.vector_index import VectorIndex
from transforms.input_error import InputError

DIM = 8
BIG = 3_000
CONFIG = IndexConfig(exact_below=0, max_added_items=50)


def named(count, prefix="item"):
    return [f"{prefix} {number}" for number in range(count)]


def random_vectors(count, seed=0, dim=DIM):
    return np.random.default_rng(seed).standard_normal((count, dim), np.float32)


def best_of(items, query, k, not_allowed=()):
    """Ids of the k best of a dictionary from id to vector, by comparing all."""
    scores = {
        item_id: float(vector @ query) for item_id, vector in items.items() if item_id not in not_allowed
    }
    return sorted(scores, key=scores.__getitem__, reverse=True)[:k]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A saved index that ScaNN searches."""
    folder = tmp_path_factory.mktemp("saved") / "index"
    build_index(named(BIG), random_vectors(BIG), "v1", CONFIG).save(folder)
    return folder


@pytest.fixture
def big(folder):
    return VectorIndex.load(folder)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_mix_of_filters_and_additions_equals_comparing_all(data):
    draw = data.draw
    # Never the same numbers as `random_vectors` makes: equal scores would have no order.
    rng = np.random.default_rng([1, draw(st.integers(0, 2**32))])
    count = draw(st.integers(0, 30))
    items = dict(zip(named(count), random_vectors(count, draw(st.integers(0, 99))), strict=True))
    index = build_index(list(items), np.array(list(items.values()), np.float32).reshape(-1, DIM), "v")
    for _ in range(draw(st.integers(0, 3))):
        # Known ids, ids added before and new ones.
        names = draw(st.lists(st.sampled_from([*named(40)]), unique=True, max_size=10))
        vectors = rng.standard_normal((len(names), DIM), np.float32)
        index.add(names, vectors)
        items |= dict(zip(names, vectors, strict=True))
    assert len(index) == len(items)
    assert sorted(index.item_ids) == sorted(items)
    blocked = rng.random(draw(st.integers(0, len(items)))) < 0.4
    shared = {index.item_ids[place] for place in np.flatnonzero(blocked)}
    own = [draw(st.lists(st.sampled_from([*named(42)]), max_size=8)) for _ in range(3)]
    queries, k = rng.standard_normal((3, DIM), np.float32), draw(st.integers(1, 50))
    found, scores = index.search(queries, k, blocked, own)
    for query, ids, row, bought in zip(queries, found, scores, own, strict=True):
        assert ids == best_of(items, query, k, shared | set(bought))
        np.testing.assert_allclose(row, [items[item_id] @ query for item_id in ids], rtol=1e-4, atol=1e-5)
    ids, vectors = index.items()
    assert {item_id: vector.tolist() for item_id, vector in zip(ids, vectors, strict=True)} == {
        item_id: vector.tolist() for item_id, vector in items.items()
    }


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 200), st.integers(0, 60))
def test_scann_keeps_k_under_all_filters(folder, seed, k, num_bought):
    index = opened(folder)
    rng = np.random.default_rng(seed)
    queries = rng.standard_normal((4, DIM), np.float32)
    # Each has bought exactly what it would get.
    bought = index.search(queries, max(num_bought, 1))[0] if num_bought else [[]] * 4
    blocked = rng.random(BIG) < 0.3
    found, _ = index.search(queries, k, blocked, bought)
    for ids, own in zip(found, bought, strict=True):
        assert len(ids) == len(set(ids)) == k
        assert not set(ids) & set(own)
        assert not blocked[index.places(ids)].any()


_OPENED = {}


def opened(folder):
    """Hypothesis calls the test many times over the same fixture."""
    if folder not in _OPENED:
        _OPENED[folder] = VectorIndex.load(folder)
    return _OPENED[folder]


def test_added_items_are_there_at_once_beside_scann(big):
    query = np.full((1, DIM), 1, np.float32)
    # 8 * 100 and 8 * 99 are more than any built item has.
    big.add(["new", "item 7"], np.array([[100] * DIM, [99] * DIM], np.float32))
    found, scores = big.search(query, 3)
    assert found[0][:2] == ["new", "item 7"]
    assert scores[0][:2].tolist() == [800, 792]
    assert (len(big), big.places(["item 7", "new", "none"]).tolist()) == (BIG + 1, [7, BIG, -1])
    # The old vector is gone: the item comes last where it was.
    big.add(["item 7"], np.full((1, DIM), -100, np.float32))
    assert "item 7" not in big.search(query, 1_000)[0][0]
    mask = np.zeros(BIG + 1, bool)
    mask[BIG] = True
    assert "new" not in big.search(query, 10, mask)[0][0]
    # A mask from before the addition says nothing of it.
    assert big.search(query, 1, np.ones(BIG, bool))[0] == [["new"]]
    assert big.search(query, 1, blocked_ids=[["new"]])[0][0] != ["new"]


def test_too_many_additions_are_an_error_and_change_nothing(big):
    big.add(named(50, "new"), random_vectors(50))
    # The same again is no more.
    big.add(named(50, "new"), random_vectors(50, 1))
    with pytest.raises(
        InputError, match=r"at most 50 added items \(max_added_items\), got 51: build the index anew"
    ):
        big.add(["one more"], random_vectors(1))
    assert len(big) == BIG + 50
    with pytest.raises(InputError, match=r"shape \[1, 8\], got \[1, 9\]"):
        big.add(["x"], random_vectors(1, dim=9))


def test_loaded_finds_the_same_as_built(tmp_path):
    built = build_index(named(BIG), random_vectors(BIG), "v1", CONFIG)
    built.add(["new", "item 3"], random_vectors(2, 5))
    built.save(tmp_path / "index")
    loaded = VectorIndex.load(tmp_path / "index", num_threads=1)
    queries, blocked = random_vectors(20, 9), np.arange(BIG) % 3 == 0
    for filters in ((), (blocked, [["item 1", "new"]] * 20)):
        expected, found = built.search(queries, 30, *filters), loaded.search(queries, 30, *filters)
        assert found[0] == expected[0]
        np.testing.assert_array_equal(np.array(found[1]), np.array(expected[1]))
    assert isinstance(loaded._vectors, np.memmap)
    described = json.loads((tmp_path / "index" / "index.json").read_text(encoding="utf-8"))
    assert (described["version"], described["num_items"], described["dim"]) == ("v1", BIG, DIM)
    assert described["recall"] == built.description.recall >= 0.95
    assert described["parameters"]["num_leaves"] > 1
    assert not list((tmp_path / "index").glob("*.pkl"))


def test_saving_over_an_index_is_an_error(big, folder):
    with pytest.raises(InputError, match="expected a folder without an index"):
        big.save(folder)


@pytest.mark.parametrize("count", [0, 1])
def test_hardly_any_items(count, tmp_path):
    for config in (CONFIG, IndexConfig()):
        build_index(named(count), random_vectors(count), "v", config).save(tmp_path / str(config.exact_below))
        index = VectorIndex.load(tmp_path / str(config.exact_below))
        found, scores = index.search(random_vectors(2), 5)
        assert found == [named(count)] * 2
        assert [len(row) for row in scores] == [count] * 2
        index.add(["new"], random_vectors(1))
        assert sorted(index.search(random_vectors(1), 5)[0][0]) == sorted([*named(count), "new"])


def test_k_above_the_catalog_gives_all(big):
    found, _ = big.search(random_vectors(1), 10**9)
    assert sorted(found[0]) == sorted(named(BIG))


def test_no_queries(big):
    assert big.search(np.empty((0, DIM), np.float32), 5) == ([], [])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((1, 9), np.float32), 1), r"queries \[batch, 8\], got \[1, 9\]"),
        ((np.zeros(DIM, np.float32), 1), r"got \[8\]"),
        ((np.full((1, DIM), np.nan, np.float32), 1), "NaN or infinity"),
        ((np.zeros((1, DIM), np.float32), 0), "k of at least 1, got 0"),
        (
            (np.zeros((1, DIM), np.float32), 1, np.zeros(BIG + 1, bool)),
            "bool .at most 3000., got bool .3001.",
        ),
        ((np.zeros((1, DIM), np.float32), 1, np.zeros(BIG)), "got float64"),
        ((np.zeros((1, DIM), np.float32), 1, None, [[], []]), "blocked_ids of 1 queries, got 2"),
    ],
)
def test_refuses_searches(big, arguments, message):
    with pytest.raises(InputError, match=message):
        big.search(*arguments)


def test_searching_while_adding_sees_whole_additions(big):
    """Two items are always added together, with vectors that bring both to the top or neither."""
    query, failures, done = np.ones((1, DIM), np.float32), [], threading.Event()

    def search():
        seen = 0.0
        while not done.is_set():
            found, scores = big.search(query, 2)
            best = float(scores[0][0])
            # The pair's score rises with each addition: 8 * 100, 8 * 101, …
            is_pair = set(found[0]) == {"item 0", "new"} and scores[0][0] == scores[0][1]
            if best >= 800 and not is_pair or best < seen:
                failures.append((found, scores, seen))
            seen = best

    searching = [threading.Thread(target=search) for _ in range(3)]
    for thread in searching:
        thread.start()
    for step in range(60):
        big.add(["item 0", "new"], np.full((2, DIM), 100 + step, np.float32))
    done.set()
    for thread in searching:
        thread.join()
    assert not failures
    assert big.search(query, 1)[1][0].tolist() == [8 * 159]


def test_adding_from_many_threads_loses_nothing(big):
    def add(number):
        for step in range(5):
            big.add([f"new {number} {step}"], random_vectors(1, number))

    adding = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in adding:
        thread.start()
    for thread in adding:
        thread.join()
    names = [f"new {number} {step}" for number in range(8) for step in range(5)]
    assert len(big) == BIG + 40
    assert sorted(big.places(names).tolist()) == list(range(BIG, BIG + 40))


def rewrite_json(folder, **changes):
    file = folder / "index.json"
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | changes), encoding="utf-8")


def cut(folder, name):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])


def swap_bytes(folder, name):
    content = bytearray((folder / name).read_bytes())
    content[-1] ^= 255
    (folder / name).write_bytes(bytes(content))


def write_ids(folder, ids, name="item_id"):
    pq.write_table(pa.table({name: ids}), folder / "items.parquet")


def write_archive(folder):
    with zipfile.ZipFile(folder / "vectors.npy", "w") as archive:
        archive.writestr("a.npy", b"")


def pickled(folder):
    np.save(folder / "vectors.npy", np.array([{}], object), allow_pickle=True)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "index.json").unlink(), "index.json: expected the description"),
        (lambda folder: cut(folder, "index.json"), "index.json: expected the description"),
        (
            lambda folder: (folder / "index.json").write_text("[" * 60_000),
            "index.json: expected the description",
        ),
        (lambda folder: (folder / "index.json").write_text(" " * 70_000), "at most 65536 bytes"),
        (lambda folder: rewrite_json(folder, surprise=1), "unknown key surprise"),
        (lambda folder: rewrite_json(folder, num_items=-1), "no negative sizes"),
        (lambda folder: rewrite_json(folder, recall=float("nan")), "recall of at most 1"),
        (lambda folder: rewrite_json(folder, num_items=BIG + 1), "expected 3001 vectors, got 3000"),
        (lambda folder: rewrite_json(folder, num_items=BIG - 1), "at most 2999 items, got 3000"),
        (lambda folder: rewrite_json(folder, dim=9), r"vectors.npy: expected float32 \[items, 9\]"),
        (lambda folder: (folder / "vectors.npy").unlink(), "vectors.npy: expected an array"),
        (lambda folder: cut(folder, "vectors.npy"), "vectors.npy: expected an array"),
        (write_archive, "vectors.npy: expected an array"),
        (pickled, "vectors.npy: expected an array"),
        (lambda folder: np.save(folder / "vectors.npy", np.zeros((BIG, DIM))), "got float64"),
        (lambda folder: (folder / "items.parquet").unlink(), "items.parquet: expected 3000 item ids"),
        (lambda folder: cut(folder, "items.parquet"), "items.parquet: expected 3000 item ids"),
        (lambda folder: write_ids(folder, named(5)), "items.parquet: expected 3000 item ids, got 5 rows"),
        (lambda folder: write_ids(folder, named(BIG), "name"), "3000 rows of .'name'."),
        (lambda folder: write_ids(folder, list(range(BIG))), "ids as text, got int64"),
        (lambda folder: write_ids(folder, ["same"] * BIG), "distinct item ids"),
        (lambda folder: (folder / "ah_codebook.pb").unlink(), "ah_codebook.pb: expected a file of ScaNN's"),
        (lambda folder: cut(folder, "hashed_dataset.npy"), "expected ScaNN's files of sha256"),
        (lambda folder: swap_bytes(folder, "datapoint_to_token.npy"), "expected ScaNN's files of sha256"),
    ],
)
def test_a_broken_folder_is_one_line(folder, tmp_path, damage, message):
    shutil.copytree(folder, tmp_path / "index")
    damage(tmp_path / "index")
    with pytest.raises(InputError, match=message) as caught:
        VectorIndex.load(tmp_path / "index")
    assert "\n" not in str(caught.value)


def test_no_folder_is_one_line(tmp_path):
    with pytest.raises(
        InputError, match="index.json: expected the description of an index, got .*No such file"
    ):
        VectorIndex.load(tmp_path / "nowhere")


def test_tells_the_vectors_that_it_has_now() -> None:
    vectors = np.array([[1, 0], [0, 1], [2, 2]], np.float32)
    index = build_index(["a", "b", "c"], vectors, "1")
    index.add(["d", "b"], np.array([[5, 5], [7, 7]], np.float32))
    index.add(["e"], np.array([[6, 6]], np.float32))
    places = index.places(["e", "a", "b", "d"])
    assert index.vectors(places).tolist() == [[6, 6], [1, 0], [7, 7], [5, 5]]
    assert index.vectors(places[:0]).shape == (0, 2)
    assert sorted(index.added_ids()) == ["b", "d", "e"]
