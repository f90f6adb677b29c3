"""The publisher: one release, or each that comes."""

import dataclasses
import logging
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_release import make_release
from redis_server import RedisServer

from serving.embedding_index.embedding_index import EmbeddingIndex
from serving.embedding_index.errors import IndexUnavailable
from serving.embedding_index.open_embedding_index import open_embedding_index
from serving.item_queue.item_queue import ItemQueue
from serving.item_store.item_store import ItemStore
from serving.item_store.open_item_store import open_item_store
from serving.item_store.stored_item import StoredItem
from serving.release import publisher
from serving.release.publish_config import PublishConfig
from serving.release.publisher import Publisher
from transforms.input_error import InputError

QUICK = PublishConfig(
    wait_seconds=0.1,
    poll_seconds=0.01,
    watch_seconds=0.02,
    min_backoff_seconds=0.01,
    max_backoff_seconds=0.05,
)
ROWS = [{"item_id": "a", "title": "red shoe"}]


class Bench:
    """A publisher over a folder, watching in a thread."""

    def __init__(self, folder: Path, config: PublishConfig = QUICK) -> None:
        self.folder = folder
        self.ready = folder / "ready"
        stores = (str(folder / name) for name in ("index", "items", "queue.db"))
        self.publisher = Publisher(folder / "release.json", *stores, self.ready, config)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def release(self, number: int) -> None:
        make_release(self.folder, number, ROWS, {"a": [number, 0]}, str(number))

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def stores(self) -> tuple[EmbeddingIndex, ItemStore, ItemQueue]:
        # A process opens a folder once.
        assert self.publisher._stores is not None
        return self.publisher._stores

    def published(self) -> str:
        return self.ready.read_text() if self.ready.exists() else ""

    def _watch(self) -> None:
        with self.publisher:
            self.publisher.watch(self._stop)


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    with bench.publisher:
        with pytest.raises(InputError, match="release.json: expected a file"):
            bench.publisher.publish_once(threading.Event())
        # Nobody has made stores of a release that is not there.
        assert list(tmp_path.iterdir()) == []
        bench.release(4)
        bench.publisher.publish_once(threading.Event())
    assert bench.published() == "4\n"


def test_each_release_that_comes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(tmp_path)
    bench.ready.write_text("1\n")
    bench.start()
    wait_until(lambda: "expected a file" in caplog.text)
    # What an earlier process has published says nothing of these stores.
    assert bench.published() == ""
    bench.release(1)
    wait_until(lambda: bench.published() == "1\n")
    bench.release(2)
    wait_until(lambda: bench.published() == "2\n")
    bench.stop()
    # Said once, however often it looked.
    assert caplog.text.count("expected a file") == 1


def test_a_release_is_published_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    calls: list[int] = []
    read = publisher.Release.read

    def counted(path: Path) -> Any:
        looks.append(1)
        return read(path)

    monkeypatch.setattr(publisher.Release, "read", counted)
    monkeypatch.setattr(publisher, "publish", lambda release, *_: calls.append(release.number))
    monkeypatch.setattr(publisher.Healing, "is_due", lambda _: False)
    bench = Bench(tmp_path)
    bench.release(7)
    bench.start()
    wait_until(lambda: len(looks) > 5)
    bench.stop()
    assert calls == [7]


def test_a_root_made_anew_is_published_too(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.release(1)
    bench.start()
    wait_until(lambda: bench.published() == "1\n")
    bench.ready.unlink()
    make_release(tmp_path / "anew", 1, ROWS, {"a": [7, 0]}, "7")
    shutil.rmtree(tmp_path / "items" / "1")
    (tmp_path / "anew" / "items" / "1").rename(tmp_path / "items" / "1")
    (tmp_path / "anew" / "release.json").replace(tmp_path / "release.json")
    wait_until(lambda: bench.published() == "1\n")
    bench.stop()
    index = open_embedding_index(str(tmp_path / "index"))
    assert index.served_version("image") == "7"
    index.close()


def test_late_items_are_put_again_until_they_are_encoded(tmp_path: Path) -> None:
    config = dataclasses.replace(QUICK, heal_seconds=0.02)
    bench = Bench(tmp_path, config)
    bench.release(1)
    bench.start()
    wait_until(lambda: bench.published() == "1\n")
    index, items, queue = bench.stores()
    vector = np.ones(2, np.float32)
    items.put([StoredItem("n", "", "", "new", {})], {})
    for modality in ("image", "text"):
        index.put("1", modality, {"n": vector}, announce=True)
    bench.release(2)
    wait_until(lambda: bench.published() == "2\n")
    for _ in range(3):
        # A worker without the new encoder settles it and leaves it late.
        wait_until(lambda: queue.waiting() == 1)
        claims = queue.claim("worker", 10, 15)
        assert [claim.item.item_id for claim in claims] == ["n"]
        queue.acknowledge(claims)
    for modality in ("image", "text"):
        index.put("2", modality, {"n": vector}, announce=True)
    # Whatever was on its way; then nothing more comes.
    time.sleep(0.2)
    queue.acknowledge(queue.claim("worker", 10, 15))
    time.sleep(0.2)
    assert queue.waiting() == 0
    bench.stop()


def test_a_store_that_is_away_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    open_index, tries = publisher.open_embedding_index, []

    def away_at_first(address: str) -> Any:
        tries.append(address)
        if len(tries) < 4:
            raise IndexUnavailable("Redis does not answer")
        return open_index(address)

    monkeypatch.setattr(publisher, "open_embedding_index", away_at_first)
    bench = Bench(tmp_path)
    bench.release(1)
    bench.start()
    wait_until(lambda: bench.published() == "1\n")
    bench.stop()
    assert len(tries) == 4
    assert caplog.text.count("nothing is published: Redis does not answer") == 1


def test_a_release_that_cannot_be_is_passed_over_by_the_next(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    bench = Bench(tmp_path)
    bench.release(1)
    (tmp_path / "items" / "1" / "catalog" / "catalog-00000.parquet").write_bytes(b"broken")
    bench.start()
    wait_until(lambda: "expected a Parquet file of items" in caplog.text)
    assert bench.published() == ""
    bench.release(2)
    wait_until(lambda: bench.published() == "2\n")
    bench.stop()


def test_the_same_in_redis(tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir()
    server = RedisServer(tmp_path / "redis")
    server.start()
    try:
        with Publisher(tmp_path / "release.json", server.url, server.url, server.url, config=QUICK) as bench:
            make_release(tmp_path, 1, [*ROWS, {"item_id": "b", "image": b"B"}], {"a": [1, 0], "b": None}, "1")
            bench.publish_once(threading.Event())
            make_release(tmp_path, 2, [{"item_id": "a", "title": "blue"}], {"a": [2, 0]}, "2")
            bench.publish_once(threading.Event())
        items, index = open_item_store(server.url), open_embedding_index(server.url)
        assert [item and item.title for item in items.get(["a", "b"])] == ["blue", None]
        assert items.image("b") == b"B"
        assert [index.served_version(modality) for modality in ("image", "text")] == ["2", "2"]
        (vector,) = index.get("text", ["a"])
        assert vector is not None and vector.tolist() == [2, 0]
        assert index.versions("image") == ["1", "2"]
        items.close()
        index.close()
    finally:
        server.stop()


def test_once_a_store_that_fails_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(address: str) -> Any:
        raise IndexUnavailable("Redis does not answer")

    monkeypatch.setattr(publisher, "open_embedding_index", away)
    bench = Bench(tmp_path)
    bench.release(1)
    with bench.publisher, pytest.raises(InputError, match="Redis does not answer"):
        bench.publisher.publish_once(threading.Event())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"wait_seconds": -1.0}, "publish.wait_seconds must be at least 0 and finite, got -1.0"),
        ({"poll_seconds": 0.0}, "publish.poll_seconds must be positive and finite, got 0.0"),
        ({"watch_seconds": float("inf")}, "publish.watch_seconds must be positive and finite"),
        ({"max_waiting": 0}, "publish.max_waiting must be at least 1, got 0"),
        ({"heal_seconds": 301.0}, "publish.max_heal_seconds must be at least 301.0, got 300.0"),
        ({"min_backoff_seconds": 20.0}, "publish.max_backoff_seconds must be at least 20.0, got 15.0"),
    ],
)
def test_settings_that_cannot_be(values: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        PublishConfig(**values)


def test_the_command_watches_until_sigterm(tmp_path: Path) -> None:
    make_release(tmp_path, 1, ROWS, {"a": [1, 0]})
    ready = tmp_path / "ready"
    stores = [f"--{name}={tmp_path / name}" for name in ("index", "items", "queue")]
    starter = "import sys; from pipeline.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [
        sys.executable,
        "-c",
        starter,
        "publish",
        f"--release={tmp_path / 'release.json'}",
        *stores,
        "--watch",
        f"--ready-file={ready}",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 90
        while not ready.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        process.terminate()
        _, said = process.communicate(timeout=30)
    assert (process.returncode, ready.read_text()) == (0, "1\n"), said
    assert "release 1 is published" in said and "Traceback" not in said
