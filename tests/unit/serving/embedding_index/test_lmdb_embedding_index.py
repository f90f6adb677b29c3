"""What the store in a folder does beyond what every store does."""

import threading
from pathlib import Path

import lmdb
import numpy as np
import pytest

from serving import lmdb_environment
from serving.embedding_index.errors import CorruptEntry, IndexFull, IndexUnavailable
from serving.embedding_index.lmdb_embedding_index import LmdbEmbeddingIndex
from transforms.input_error import InputError

MIB = 2**20


def _batch(number: int, size: int = 100, dim: int = 256) -> dict[str, np.ndarray | None]:
    """About 100 KiB of vectors that say whose they are."""
    return {f"{number}-{item}": np.full(dim, 1000 * number + item, np.float32) for item in range(size)}


def _is_whole(index: LmdbEmbeddingIndex, number: int) -> bool:
    batch = _batch(number)
    found = index.get_version("v1", "image", list(batch))
    return all(np.array_equal(one, two) for one, two in zip(found, batch.values(), strict=True))


def _raw_entries(folder: Path, database: str = "entries") -> list[bytes]:
    with lmdb.open(str(folder), max_dbs=1, readonly=True) as environment:
        entries = environment.open_db(database.encode(), create=False)
        return [key for key, _ in environment.begin(db=entries).cursor()]


def test_is_as_it_was_when_opened_again(tmp_path: Path) -> None:
    index = LmdbEmbeddingIndex(tmp_path / "new" / "folder")
    index.put("v1", "image", {"a": np.ones(2, np.float32), "bare": None})
    index.serve("image", "v1")
    index.close()
    for readonly in (True, False):
        index = LmdbEmbeddingIndex(tmp_path / "new" / "folder", readonly=readonly)
        assert index.get("image", ["a"])[0].tolist() == [1, 1]
        assert (index.versions("image"), index.count("image", "v1")) == (["v1"], 2)
        index.close()


def test_commits_are_synced(tmp_path: Path) -> None:
    """Without either flag an acknowledged put could be lost to a power cut, which no test can bring about."""
    index = LmdbEmbeddingIndex(tmp_path)
    flags = index._environment._environment.flags()
    assert (flags["sync"], flags["metasync"], flags["writemap"]) == (True, True, False)
    index.close()


def test_the_map_grows_to_its_limit_and_what_was_acknowledged_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lmdb_environment, "_FIRST_BYTES", MIB)
    index = LmdbEmbeddingIndex(tmp_path, max_bytes=5 * MIB)
    acknowledged = 0
    with pytest.raises(IndexFull, match=r"reached its limit of 5242880 bytes \(max_bytes\)"):
        for number in range(100):
            index.put("v1", "image", _batch(number))
            acknowledged += 1
    # 100 vectors of 1 KiB, of which a page holds 3: of the 5 MiB more than half are used.
    assert acknowledged > 20
    assert index.count("image", "v1") == 100 * acknowledged
    assert all(_is_whole(index, number) for number in range(acknowledged))
    # It reads on, and takes again what little there is room for.
    index.serve("image", "v1")
    index.close()
    index = LmdbEmbeddingIndex(tmp_path, max_bytes=10 * MIB)
    index.put("v1", "image", _batch(acknowledged))
    assert all(_is_whole(index, number) for number in range(acknowledged + 1))
    index.close()


@pytest.mark.parametrize("size", [1, 100])
def test_a_full_index_can_switch_and_drop(tmp_path: Path, size: int) -> None:
    """Deleting takes pages too, of which a full index has few."""
    index = LmdbEmbeddingIndex(tmp_path, max_bytes=2 * MIB)
    with pytest.raises(IndexFull):
        for number in range(10_000):
            index.put(f"v{number % 2}", "image", _batch(number, size), announce=True)
    stored = index.count("image", "v1")
    index.serve("image", "v1")
    index.drop("image", "v0")
    assert index.count("image", "v1") == len(index.changes("image", "v1", 0, 10_000)) == stored
    for number in range(10_000, 10_000 + 400 // size):
        index.put("v1", "image", _batch(number, size))
    assert index.count("image", "v1") == stored + 400
    index.close()


def test_dropping_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lmdb_environment, "_FIRST_BYTES", MIB)
    index = LmdbEmbeddingIndex(tmp_path, max_bytes=4 * MIB)
    for version in range(10):
        for number in range(10):
            index.put(f"v{version}", "image", _batch(number), announce=True)
        index.drop("image", f"v{version}")
    index.close()
    assert [_raw_entries(tmp_path, name) for name in ("entries", "changes", "sequences")] == [[], [], []]


def test_threads_read_and_write_while_the_map_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lmdb_environment, "_FIRST_BYTES", MIB)
    index = LmdbEmbeddingIndex(tmp_path)
    index.put("v1", "image", _batch(0))
    stop, wrong = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            if not _is_whole(index, 0):
                wrong.append(1)

    def write(writer: int) -> None:
        for number in range(1 + 30 * writer, 31 + 30 * writer):
            index.put("v1", "image", _batch(number))

    readers = [threading.Thread(target=read) for _ in range(2)]
    writers = [threading.Thread(target=write, args=[number]) for number in range(2)]
    for thread in readers + writers:
        thread.start()
    for writer in writers:
        writer.join()
    stop.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    assert index.count("image", "v1") == 61 * 100
    assert all(_is_whole(index, number) for number in range(61))
    index.close()


def test_what_an_interrupted_drop_left_is_deleted_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = LmdbEmbeddingIndex(tmp_path)
    for version in ("v1", "v2", "v3"):
        index.put(version, "image", {"a": None, "b": None})

    def fail(transaction: lmdb.Transaction) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(index, "_sweep", fail)
        index.drop("image", "v1")
    index.close()
    assert len(_raw_entries(tmp_path)) == 6
    index = LmdbEmbeddingIndex(tmp_path)
    assert index.versions("image") == ["v2", "v3"]
    index.put("v1", "image", {"c": None})
    assert index.known("v1", "image", ["a", "c"]) == [False, True]
    index.drop("image", "v3")
    index.close()
    assert [key[-1:] for key in _raw_entries(tmp_path)] == [b"a", b"b", b"c"]


def test_a_broken_entry_is_an_error(tmp_path: Path) -> None:
    index = LmdbEmbeddingIndex(tmp_path)
    index.put("v1", "image", {"a": np.ones(2, np.float32), "b": None})
    index.close()
    with lmdb.open(str(tmp_path), max_dbs=2) as environment:
        entries = environment.open_db(b"entries")
        with environment.begin(write=True, db=entries) as transaction:
            cursor = transaction.cursor()
            cursor.first()
            cursor.put(cursor.key(), cursor.value()[:-1] + b"\0")
    index = LmdbEmbeddingIndex(tmp_path)
    with pytest.raises(CorruptEntry, match="item 'a': expected checksum"):
        index.get_version("v1", "image", ["b", "a"])
    assert index.get_version("v1", "image", ["b"]) == [None]
    assert list(index.scan("image", "v1")) == [(["b"], [None])]
    index.close()


def test_folders_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere: expected the folder of an embedding index"):
        LmdbEmbeddingIndex(tmp_path / "nowhere", readonly=True)
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="file: expected the folder of an embedding index"):
        LmdbEmbeddingIndex(tmp_path / "file")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "data.mdb").write_bytes(b"no database" * 1000)
    with pytest.raises(InputError, match="other: expected the folder of an embedding index"):
        LmdbEmbeddingIndex(tmp_path / "other")
    lmdb.open(str(tmp_path / "empty")).close()
    for _ in range(2):  # it is not left open by the first attempt
        with pytest.raises(
            InputError, match="empty: expected the folder of an embedding index.*MDB_NOTFOUND"
        ):
            LmdbEmbeddingIndex(tmp_path / "empty", readonly=True)
    index = LmdbEmbeddingIndex(tmp_path / "twice")
    with pytest.raises(InputError, match="already open in this process"):
        LmdbEmbeddingIndex(tmp_path / "twice")
    index.close()


@pytest.mark.parametrize("limits", [{"max_bytes": MIB - 1}, {"max_readers": 0}])
def test_limits_that_are_too_small(tmp_path: Path, limits: dict[str, int]) -> None:
    with pytest.raises(
        InputError, match="expected max_bytes of at least 1048576 and max_readers of at least 1"
    ):
        LmdbEmbeddingIndex(tmp_path, **limits)


def test_a_reader_does_not_write_and_a_closed_index_does_nothing(tmp_path: Path) -> None:
    LmdbEmbeddingIndex(tmp_path).close()
    index = LmdbEmbeddingIndex(tmp_path, readonly=True)
    with pytest.raises(IndexUnavailable, match="Cannot start write transaction with read-only"):
        index.put("v1", "image", {"a": None})
    index.close()
    with pytest.raises(IndexUnavailable, match="closed"):
        index.versions("image")
