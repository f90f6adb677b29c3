"""What every store of the embedding index does."""

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis_server import RedisServer

from serving.embedding_index.change import Change
from serving.embedding_index.embedding_index import EmbeddingIndex
from serving.embedding_index.errors import IndexUnavailable
from serving.embedding_index.lmdb_embedding_index import LmdbEmbeddingIndex
from serving.embedding_index.redis_embedding_index import RedisEmbeddingIndex
from transforms.input_error import InputError


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server.url
    server.stop()


@pytest.fixture(params=["lmdb", "redis"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EmbeddingIndex]:
    opened: EmbeddingIndex
    if request.param == "lmdb":
        opened = LmdbEmbeddingIndex(tmp_path)
    else:
        opened = RedisEmbeddingIndex(request.getfixturevalue("redis_url"), prefix=tmp_path.name)
    yield opened
    opened.close()


def _vector(*numbers: float) -> np.ndarray:
    return np.array(numbers, np.float32)


def _lists(vectors: list[np.ndarray | None]) -> list[list[float] | None]:
    assert all(vector.dtype == np.float32 for vector in vectors if vector is not None)
    return [None if vector is None else vector.tolist() for vector in vectors]


def test_reads_in_the_order_asked(index: EmbeddingIndex) -> None:
    index.put("v1", "image", {"a": _vector(1, 2), "b": _vector(3, 4), "bare": None})
    index.serve("image", "v1")
    assert _lists(index.get("image", ["b", "unknown", "a", "bare", "b"])) == [
        [3, 4],
        None,
        [1, 2],
        None,
        [3, 4],
    ]
    assert index.get("image", []) == []


def test_no_content_is_known_and_absence_is_not(index: EmbeddingIndex) -> None:
    index.put("v1", "image", {"a": _vector(1), "bare": None})
    assert index.known("v1", "image", ["bare", "unknown", "a"]) == [True, False, True]
    assert index.known("v2", "image", ["a"]) == [False]
    assert index.known("v1", "text", ["a"]) == [False]
    assert index.known("v1", "image", []) == []
    assert index.count("image", "v1") == 2


def test_the_last_put_wins(index: EmbeddingIndex) -> None:
    index.put("v1", "text", {"a": _vector(1, 2), "b": _vector(3, 4), "c": None})
    index.put("v1", "text", {"a": _vector(5, 6), "b": None, "c": _vector(7, 8)})
    assert _lists(index.get_version("v1", "text", ["a", "b", "c"])) == [[5, 6], None, [7, 8]]
    assert index.count("text", "v1") == 3


def test_a_put_that_does_not_replace_fills_gaps(index: EmbeddingIndex) -> None:
    index.put("v1", "text", {"a": _vector(1), "bare": None})
    index.put("v1", "text", {"a": _vector(2), "bare": _vector(3), "new": _vector(4)}, replace=False)
    assert _lists(index.get_version("v1", "text", ["a", "bare", "new"])) == [[1], None, [4]]
    assert index.count("text", "v1") == 3


def test_a_new_version_is_filled_beside_the_served_one(index: EmbeddingIndex) -> None:
    index.put("v1", "image", {"a": _vector(1, 0), "b": _vector(2, 0)})
    index.serve("image", "v1")
    # Another encoder, whose vectors have another dim; it has not come to b yet.
    index.put("v2", "image", {"a": _vector(0, 0, 9)})
    assert _lists(index.get("image", ["a", "b"])) == [[1, 0], [2, 0]]
    assert _lists(index.get_version("v2", "image", ["a", "b"])) == [[0, 0, 9], None]
    assert (index.served_version("image"), index.versions("image")) == ("v1", ["v1", "v2"])
    index.serve("image", "v2")
    assert _lists(index.get("image", ["a", "b"])) == [[0, 0, 9], None]
    assert _lists(index.get_version("v1", "image", ["a", "b"])) == [[1, 0], [2, 0]]
    index.serve("image", "v1")
    assert _lists(index.get("image", ["a"])) == [[1, 0]]


def test_modalities_have_versions_of_their_own(index: EmbeddingIndex) -> None:
    index.put("7", "image", {"a": _vector(1)})
    index.put("7", "text", {"a": _vector(2, 2)})
    index.put("8", "text", {})
    index.serve("image", "7")
    index.serve("text", "8")
    assert _lists(index.get("image", ["a"]) + index.get("text", ["a"])) == [[1], None]
    assert (index.versions("image"), index.versions("text"), index.versions("sound")) == (
        ["7"],
        ["7", "8"],
        [],
    )
    assert (index.count("text", "7"), index.count("text", "8")) == (1, 0)


def test_names_that_begin_alike_are_kept_apart(index: EmbeddingIndex) -> None:
    index.put("1", "image", {"a": _vector(1), "1a": _vector(2)})
    index.put("11", "image", {"a": _vector(3)})
    index.put("1", "image:1", {"a": _vector(4)})
    assert index.versions("image") == ["1", "11"]
    assert index.versions("image:1") == ["1"]
    index.drop("image", "1")
    assert _lists(index.get_version("11", "image", ["a", "1a"])) == [[3], None]
    assert _lists(index.get_version("1", "image:1", ["a"])) == [[4]]


def test_a_dropped_version_is_gone_and_can_be_made_again(index: EmbeddingIndex) -> None:
    index.put("v1", "image", {"a": _vector(1, 2), "b": _vector(3, 4)})
    index.put("v2", "image", {"a": _vector(5)})
    index.serve("image", "v2")
    index.drop("image", "v1")
    assert index.versions("image") == ["v2"]
    assert index.known("v1", "image", ["a"]) == [False]
    with pytest.raises(InputError, match="expected a version of image that is in the index, got 'v1'"):
        index.get_version("v1", "image", ["a"])
    # It has neither its old entries nor its old dim.
    index.put("v1", "image", {"b": _vector(1, 2, 3)})
    assert _lists(index.get_version("v1", "image", ["a", "b"])) == [None, [1, 2, 3]]
    assert (index.count("image", "v1"), index.count("image", "v2")) == (1, 1)


def test_the_served_version_cannot_be_dropped(index: EmbeddingIndex) -> None:
    index.put("v1", "image", {"a": _vector(1)})
    index.serve("image", "v1")
    with pytest.raises(InputError, match="image version v1 is being served"):
        index.drop("image", "v1")
    assert _lists(index.get("image", ["a"])) == [[1]]


def test_nothing_is_served_at_first(index: EmbeddingIndex) -> None:
    index.put("v1", "image", {"a": _vector(1)})
    assert index.served_version("image") is None
    with pytest.raises(IndexUnavailable, match="no version of image is served yet"):
        index.get("image", ["a"])


def test_unknown_versions(index: EmbeddingIndex) -> None:
    index.put("v1", "text", {})
    for ask in (index.serve, index.count, index.drop):
        with pytest.raises(InputError, match="expected a version of image that is in the index, got 'v1'"):
            ask("image", "v1")
    assert index.served_version("image") is None


def test_the_first_vector_fixes_the_dim(index: EmbeddingIndex) -> None:
    index.put("v1", "image", {"bare": None})
    index.put("v1", "image", {"a": _vector(1, 2), "bare": None})
    with pytest.raises(InputError, match="image version v1: expected vectors of dim 2, got 3"):
        index.put("v1", "image", {"b": _vector(1, 2, 3), "c": None})
    assert index.known("v1", "image", ["a", "b", "c"]) == [True, False, False]


@pytest.mark.parametrize(
    "vectors, message",
    [
        ({"a": _vector(1), "b": _vector(1, 2)}, r"expected vectors of one dim, got \[1, 2\]"),
        ({"a": np.array([1.0])}, r"expected a vector as float32 \[dim\], got float64 \[1\] for item 'a'"),
        ({"a": np.ones((1, 2), np.float32)}, r"got float32 \[1, 2\] for item 'a'"),
        ({"a": [1.0]}, "got list for item 'a'"),
        ({"a": _vector()}, "expected a vector of 1 to 4096 numbers, got 0"),
        ({"a": np.zeros(4_097, np.float32)}, "got 4097"),
        ({"a": _vector(1, np.nan)}, "got NaN or infinity for item 'a'"),
        ({"a": _vector(np.inf)}, "got NaN or infinity for item 'a'"),
        ({"": None}, "expected an item id of 1 to 256 bytes, got 0"),
        ({"ä" * 128 + "x": None}, "got 257"),
        ({"\ud800": None}, "expected an item id that is text"),
        ({7: None}, "expected item ids as text, got int"),
        ({str(number): None for number in range(10_001)}, "expected at most 10000 items a call, got 10001"),
    ],
)
def test_a_put_that_cannot_be_leaves_nothing(index: EmbeddingIndex, vectors: Mapping, message: str) -> None:
    with pytest.raises(InputError, match=message):
        index.put("v1", "image", vectors)
    assert index.versions("image") == []


@pytest.mark.parametrize("name", ["", "a/b", "a b", "ä", "x" * 129, "a\n", "{a}", None])
def test_names_that_cannot_be(index: EmbeddingIndex, name: str) -> None:
    with pytest.raises(InputError, match="expected a modality of"):
        index.served_version(name)
    if name is not None:
        with pytest.raises(InputError, match="expected a version of"):
            index.put(name, "image", {})


def test_ids_that_cannot_be_asked_for(index: EmbeddingIndex) -> None:
    index.put("v1", "image", {})
    index.serve("image", "v1")
    for item_ids in (["x"] * 10_001, [""], ["x" * 257], ["\ud800"], [b"x"]):
        for ask in (
            lambda ids: index.get("image", ids),
            lambda ids: index.get_version("v1", "image", ids),
            lambda ids: index.known("v1", "image", ids),
        ):
            with pytest.raises(InputError):
                ask(item_ids)


def test_the_largest_call(index: EmbeddingIndex) -> None:
    longest = {f"{number:0256}": _vector(number, 1) for number in range(10_000)}
    index.put("v1", "image", longest)
    index.serve("image", "v1")
    assert _lists(index.get("image", list(longest))) == [[number, 1] for number in range(10_000)]
    widest = np.arange(4_096, dtype=np.float32)
    index.put("v2", "image", {"a": widest})
    assert index.get_version("v2", "image", ["a"])[0].tolist() == list(range(4_096))


def test_vectors_are_the_callers_own(index: EmbeddingIndex) -> None:
    index.put("v1", "image", {"a": _vector(1, 2, 3, 4)[::2]})  # not contiguous
    first = index.get_version("v1", "image", ["a"])[0]
    first[:] = 0
    assert _lists(index.get_version("v1", "image", ["a"])) == [[1, 3]]


def _announced(index: EmbeddingIndex, version: str = "v1", after: int = 0, limit: int = 10_000) -> list[str]:
    return [change.item_id for change in index.changes("image", version, after, limit)]


def test_announced_items_come_to_the_end_of_the_feed(index: EmbeddingIndex) -> None:
    index.put("v1", "image", {"silent": _vector(1)})
    assert index.changes("image", "v1", 0, 10) == []
    index.put("v1", "image", {"a": _vector(1), "ä": None, "c": _vector(3)}, announce=True)
    first = index.changes("image", "v1", 0, 10)
    assert sorted(change.item_id for change in first) == ["a", "c", "ä"]
    index.put("v1", "image", {"d": _vector(4)}, announce=True)
    index.put("v1", "image", {"a": _vector(5)}, announce=True)
    index.put("v1", "image", {"c": _vector(6)})
    changes = index.changes("image", "v1", 0, 10)
    assert sorted(change.item_id for change in changes[:2]) == ["c", "ä"]
    assert [change.item_id for change in changes[2:]] == ["d", "a"]
    # Who has seen the first three is told of the new one, and of the one that has changed since.
    assert index.changes("image", "v1", first[-1].sequence, 10) == changes[2:]
    assert index.changes("image", "v1", changes[-1].sequence, 10) == []
    assert all(isinstance(change, Change) and change.sequence > 0 for change in changes)
    sequences = [change.sequence for change in changes]
    assert sequences == sorted(set(sequences))


def test_a_feed_is_read_in_parts(index: EmbeddingIndex) -> None:
    items = {f"item_{number}" for number in range(25)}
    index.put("v1", "image", dict.fromkeys(items), announce=True)
    after, parts = 0, []
    while changes := index.changes("image", "v1", after, 10):
        after = changes[-1].sequence
        parts.append([change.item_id for change in changes])
    assert [len(part) for part in parts] == [10, 10, 5]
    assert {item for part in parts for item in part} == items


def test_items_that_a_put_leaves_alone_are_announced_too(index: EmbeddingIndex) -> None:
    index.put("v1", "image", {"a": _vector(1)})
    index.put("v1", "image", {"a": _vector(2), "b": _vector(3)}, replace=False, announce=True)
    assert sorted(_announced(index)) == ["a", "b"]
    assert _lists(index.get_version("v1", "image", ["a", "b"])) == [[1], [3]]


@pytest.mark.parametrize("replace", [True, False])
def test_what_was_announced_is_not_replaced_by_what_is_older(index: EmbeddingIndex, replace: bool) -> None:
    index.put("v1", "image", {"a": _vector(1)}, announce=True)
    index.put("v1", "image", {"b": _vector(2)})
    catalog = {"a": _vector(7), "b": _vector(8), "c": _vector(9)}
    index.put("v1", "image", catalog, replace, unless_announced=True)
    assert _lists(index.get_version("v1", "image", ["a", "b", "c"])) == [[1], [8] if replace else [2], [9]]
    assert index.count("image", "v1") == 3 and _announced(index) == ["a"]
    # Of this version alone; and its feed goes with it.
    index.put("v2", "image", catalog, replace, unless_announced=True)
    assert _lists(index.get_version("v2", "image", ["a"])) == [[7]]
    index.drop("image", "v1")
    index.put("v1", "image", catalog, replace, unless_announced=True)
    assert _lists(index.get_version("v1", "image", ["a"])) == [[7]]
    index.put("v1", "image", {}, replace, unless_announced=True)
    with pytest.raises(InputError, match="expected announce or unless_announced, got both"):
        index.put("v1", "image", {}, announce=True, unless_announced=True)


def test_a_put_that_fails_announces_nothing(index: EmbeddingIndex) -> None:
    index.put("v1", "image", {"a": _vector(1, 2)}, announce=True)
    with pytest.raises(InputError, match="expected vectors of dim 2, got 1"):
        index.put("v1", "image", {"b": _vector(1)}, announce=True)
    index.put("v1", "image", {}, announce=True)
    assert _announced(index) == ["a"]


def test_versions_have_feeds_of_their_own(index: EmbeddingIndex) -> None:
    index.put("1", "image", {"a": None}, announce=True)
    index.put("11", "image", {"b": None}, announce=True)
    index.put("1", "text", {"c": None}, announce=True)
    index.serve("image", "11")
    assert (_announced(index, "1"), _announced(index, "11"), _announced(index, "2")) == (["a"], ["b"], [])
    assert [change.item_id for change in index.changes("text", "1", 0, 9)] == ["c"]
    index.drop("image", "1")
    assert (_announced(index, "1"), _announced(index, "11")) == ([], ["b"])


def test_a_version_that_is_made_again_uses_no_sequence_again(index: EmbeddingIndex) -> None:
    """Whoever has followed the old one learns of what comes into the new one."""
    index.put("v1", "image", dict.fromkeys("abc"), announce=True)
    last = index.changes("image", "v1", 0, 9)[-1].sequence
    index.drop("image", "v1")
    index.put("v1", "image", {"a": None}, announce=True)
    assert _announced(index, after=last) == _announced(index) == ["a"]


@pytest.mark.parametrize("after, limit", [(-1, 1), (2**53, 1), (0, 0), (0, 10_001)])
def test_changes_that_cannot_be_asked_for(index: EmbeddingIndex, after: int, limit: int) -> None:
    with pytest.raises(InputError, match="expected (after as|a limit of)"):
        index.changes("image", "v1", after, limit)


def test_a_follower_misses_nothing(index: EmbeddingIndex) -> None:
    """Three threads announce the same 30 items again and again, one follows; it ends with the newest of all."""
    items = [f"item_{number}" for number in range(30)]
    rounds, done, copy = 15, threading.Event(), {}

    def write(writer: int) -> None:
        for turn in range(rounds):
            for start in range(0, len(items), 10):
                index.put(
                    "v1",
                    "image",
                    {item: _vector(writer, turn) for item in items[start : start + 10]},
                    announce=True,
                )

    def follow() -> None:
        after, is_last = 0, False
        while not is_last:
            is_last = done.is_set()
            while changes := index.changes("image", "v1", after, 7):
                after = changes[-1].sequence
                asked = [change.item_id for change in changes]
                copy.update(zip(asked, _lists(index.get_version("v1", "image", asked)), strict=True))

    follower = threading.Thread(target=follow)
    index.put("v1", "image", {})
    follower.start()
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(write, range(3)))
    done.set()
    follower.join()
    assert copy == dict(zip(items, _lists(index.get_version("v1", "image", items)), strict=True))
    assert sorted(_announced(index)) == sorted(items)


def _scanned(index: EmbeddingIndex, version: str) -> dict[str, list[float] | None]:
    found: dict[str, list[float] | None] = {}
    for item_ids, vectors in index.scan("image", version):
        assert 1 <= len(item_ids)
        found |= dict(zip(item_ids, _lists(vectors), strict=True))
    return found


def test_a_scan_has_every_entry_of_its_version(index: EmbeddingIndex) -> None:
    entries = {f"item_{number}": None if number % 7 == 0 else _vector(number, 1) for number in range(3_500)}
    for version in ("1", "2", "3"):
        index.put(version, "image", {f"of_{version}": _vector(0, 0)})
    index.put("2", "image", entries)
    expected = {item: None if vector is None else vector.tolist() for item, vector in entries.items()}
    assert _scanned(index, "2") == expected | {"of_2": [0, 0]}
    assert _scanned(index, "1") == {"of_1": [0, 0]}
    # Batches are bounded, so that nobody waits for long.
    sizes = [len(item_ids) for item_ids, _ in index.scan("image", "2")]
    assert len(sizes) >= 3 and max(sizes) < 2_000


def test_scans_of_versions_that_are_not_there(index: EmbeddingIndex) -> None:
    index.put("v1", "image", {})
    assert list(index.scan("image", "v1")) == []
    with pytest.raises(InputError, match="expected a version of image that is in the index, got 'v2'"):
        index.scan("image", "v2")
    index.put("v2", "image", {str(number): None for number in range(5_000)})
    batches = index.scan("image", "v2")
    next(batches)
    index.drop("image", "v2")
    with pytest.raises(InputError, match="expected a version of image that is in the index, got 'v2'"):
        next(batches)


def test_a_scan_has_what_was_there_all_the_time(index: EmbeddingIndex) -> None:
    index.put("v1", "image", {f"old_{number}": _vector(number) for number in range(3_000)})
    found: set[str] = set()
    for turn, (item_ids, _) in enumerate(index.scan("image", "v1")):
        found.update(item_ids)
        index.put("v1", "image", {f"new_{turn}_{number}": _vector(0) for number in range(100)})
        if turn == 100:
            pytest.fail("a scan that does not end")
    assert {item for item in found if item.startswith("old_")} == {f"old_{n}" for n in range(3_000)}


_ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
_vectors = st.none() | st.lists(
    st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=3, max_size=3
)
_puts = st.tuples(
    st.sampled_from(["v1", "v2"]), st.dictionaries(_ids, _vectors, max_size=6), st.booleans(), st.booleans()
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(puts=st.lists(_puts, max_size=5))
def test_is_a_dictionary(index: EmbeddingIndex, puts: list) -> None:
    for version in index.versions("image"):
        index.drop("image", version)
    expected: dict[str, dict] = {}
    # Of each item the number of its last announced put, in the feeds' order.
    announced: dict[str, dict[str, int]] = {"v1": {}, "v2": {}}
    for number, (version, vectors, replace, announce) in enumerate(puts):
        index.put(
            version,
            "image",
            {item: None if vector is None else _vector(*vector) for item, vector in vectors.items()},
            replace,
            announce,
        )
        announced[version] |= dict.fromkeys(vectors if announce else (), number)
        old = expected.setdefault(version, {})
        expected[version] = old | vectors if replace else vectors | old
    asked = sorted({item for _, vectors, _, _ in puts for item in vectors})
    assert index.versions("image") == sorted(expected)
    for version, entries in expected.items():
        assert index.count("image", version) == len(entries)
        assert index.known(version, "image", asked) == [item in entries for item in asked]
        found = index.get_version(version, "image", asked)
        assert [None if vector is None else vector.tolist() for vector in found] == [
            entries.get(item) for item in asked
        ]
        assert _scanned(index, version) == entries
        feed = _announced(index, version)
        assert sorted(feed) == sorted(announced[version])
        assert sorted(announced[version].values()) == [announced[version][item] for item in feed]


def test_a_read_is_of_one_version_while_it_switches(index: EmbeddingIndex) -> None:
    """Readers see 1s or 2s alone, and after a switch never the old ones again."""
    items = [f"item_{number}" for number in range(50)]
    for version in (1, 2):
        index.put(f"v{version}", "image", {item: _vector(version) for item in items})
    index.serve("image", "v1")
    stop, mixed, reads = threading.Event(), [], []

    def read() -> None:
        while not stop.is_set():
            numbers = {vector[0] for vector in index.get("image", items) if vector is not None}
            reads.append(1)
            if len(numbers) != 1:
                mixed.append(numbers)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        for turn in range(200):
            index.serve("image", f"v{turn % 2 + 1}")
            assert index.get("image", items[:1])[0][0] == turn % 2 + 1
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert (mixed, len(reads) > 0) == ([], True)


def test_many_writers_lose_nothing(index: EmbeddingIndex) -> None:
    """Four threads write into one version that none of them has made, each item by two of them."""

    def write(writer: int) -> None:
        for batch in range(20):
            items = [f"{writer // 2}-{batch}-{number}" for number in range(10)]
            index.put("v1", "image", {item: _vector(batch, writer // 2) for item in items})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert index.count("image", "v1") == 2 * 20 * 10
    items = [f"{half}-{batch}-9" for half in range(2) for batch in range(20)]
    assert _lists(index.get_version("v1", "image", items)) == [
        [batch, half] for half in range(2) for batch in range(20)
    ]
