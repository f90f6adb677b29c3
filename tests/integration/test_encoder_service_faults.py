"""Processes are killed in the middle of a load; lost and doubled items are counted, and there are none.

The workers are processes of their own, the encoders answer over gRPC. Each item has a title of its own, so the
encoders' count of titles tells how often each item was encoded.
"""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.embedding_index.lmdb_embedding_index import LmdbEmbeddingIndex
from serving.embedding_index.redis_embedding_index import RedisEmbeddingIndex
from serving.item_queue.config import QueueConfig
from serving.item_queue.errors import QueueFull, QueueUnavailable
from serving.item_queue.new_item import NewItem
from serving.item_queue.redis_item_queue import RedisItemQueue
from serving.item_queue.sqlite_item_queue import SqliteItemQueue
from tests.support.fake_encoders import FakeEncoders, picture
from tests.support.redis_server import RedisServer

ITEMS, BATCH = 300, 8
COMMAND = (
    "import argparse; from serving.encoder_service import cli; parser = argparse.ArgumentParser();"
    "cli.add_arguments(parser); raise SystemExit(cli.run(parser.parse_args()))"
)
# So few that the producer meets a full queue again and again.
BOUNDS = QueueConfig(max_items=60)


class Stage:
    """The stores of one kind, and workers between them."""

    def __init__(self, folder: Path, queue_address: str, index_address: str, queue, index) -> None:
        self.folder, self.queue_address, self.index_address = folder, queue_address, index_address
        self.queue, self.index = queue, index
        self.encoders = FakeEncoders()
        self.encoders.delay_seconds = 0.01
        self.workers: list[subprocess.Popen[bytes]] = []
        self.refusals = 0

    def start_worker(self) -> subprocess.Popen[bytes]:
        log = (self.folder / f"worker{len(self.workers)}.log").open("wb")
        arguments = {
            "queue": self.queue_address,
            "index": self.index_address,
            "model-server": self.encoders.address,
            "workers": 1,
            "batch-size": BATCH,
            "lease-seconds": 2,
        }
        flags = [f"--{name}={value}" for name, value in arguments.items()]
        worker = subprocess.Popen([sys.executable, "-c", COMMAND, *flags], stdout=log, stderr=log)
        self.workers.append(worker)
        return worker

    def produce(self) -> None:
        """Puts all items, each until it is acknowledged."""
        for number in range(ITEMS):
            color = (number % 200, number // 200, 7)
            item = NewItem(f"i{number}", picture(color), f"title {number}", "c", "s", time.time())
            while not self._is_put(item):
                time.sleep(0.02)

    def _is_put(self, item: NewItem) -> bool:
        try:
            self.queue.put(item)
        except QueueFull:
            self.refusals += 1
            return False
        except QueueUnavailable:
            return False
        return True

    def indexed(self) -> int:
        return self.index.count("text", "1") if "1" in self.index.versions("text") else 0

    def wait_for(self, reached, seconds: float = 90.0) -> None:
        deadline = time.monotonic() + seconds
        while not reached():
            assert time.monotonic() < deadline, self.report()
            time.sleep(0.02)

    def report(self) -> str:
        logs = [path.read_text()[-2_000:] for path in sorted(self.folder.glob("worker*.log"))]
        return f"indexed {self.indexed()}, waiting {self.queue.waiting()}\n" + "\n".join(logs)

    def check(self) -> None:
        """No item lost, none doubled, none with another's vector, and no dead letter."""
        item_ids = [f"i{number}" for number in range(ITEMS)]
        pictures, titles = self.index.get("image", item_ids), self.index.get("text", item_ids)
        assert sum(vector is None for vector in pictures + titles) == 0, "lost"
        assert [vector.tolist() for vector in pictures] == [
            [number % 200, number // 200, 7, 1] for number in range(ITEMS)
        ]
        assert [vector[0] for vector in titles] == [len(f"title {number}") for number in range(ITEMS)]
        assert (self.index.count("image", "1"), self.index.count("text", "1")) == (ITEMS, ITEMS), "doubled"
        assert (self.queue.waiting(), self.queue.dead(ITEMS)) == (0, [])

    def encoded_again(self) -> int:
        """How many items were encoded more than once, which changes nothing in the index."""
        return sum(
            self.encoders.encoded["text_encoder", f"title {number}".encode()] > 1 for number in range(ITEMS)
        )

    def close(self) -> None:
        for worker in self.workers:
            worker.kill()
            worker.wait()
        self.index.close()


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Stage]:
    queue = SqliteItemQueue(tmp_path / "queue.db", BOUNDS)
    index = LmdbEmbeddingIndex(tmp_path / "index")
    stage = Stage(tmp_path, str(tmp_path / "queue.db"), str(tmp_path / "index"), queue, index)
    with stage.encoders:
        yield stage
    stage.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def in_redis(tmp_path: Path, server: RedisServer) -> Iterator[Stage]:
    queue = RedisItemQueue(server.url, config=BOUNDS)
    stage = Stage(tmp_path, server.url, server.url, queue, RedisEmbeddingIndex(server.url))
    with stage.encoders:
        yield stage
    stage.close()


@pytest.mark.parametrize("kind", ["embedded", "in_redis"])
def test_a_killed_worker_loses_nothing_and_doubles_nothing(kind, request):
    stage: Stage = request.getfixturevalue(kind)
    first = stage.start_worker()
    stage.start_worker()
    producer = threading.Thread(target=stage.produce)
    producer.start()
    stage.wait_for(lambda: stage.indexed() > ITEMS // 5)
    first.send_signal(signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL
    stage.start_worker()
    producer.join()
    stage.wait_for(lambda: stage.queue.waiting() == 0)
    stage.check()
    assert stage.refusals > 0, "the queue was never full"
    assert stage.encoded_again() <= BATCH  # those that the killed worker held


def test_a_killed_redis_loses_nothing_and_doubles_nothing(in_redis, server):
    in_redis.start_worker()
    producer = threading.Thread(target=in_redis.produce)
    producer.start()
    in_redis.wait_for(lambda: in_redis.indexed() > ITEMS // 5)
    server.kill()
    time.sleep(0.5)
    server.start()
    producer.join()
    in_redis.wait_for(lambda: in_redis.queue.waiting() == 0)
    in_redis.check()


def test_a_model_server_that_dies_and_comes_back_loses_nothing(embedded):
    embedded.start_worker()
    producer = threading.Thread(target=embedded.produce)
    producer.start()
    embedded.wait_for(lambda: embedded.indexed() > ITEMS // 5)
    embedded.encoders.__exit__()
    time.sleep(1.0)
    before = embedded.indexed()
    with FakeEncoders(embedded.encoders.port):
        producer.join()
        embedded.wait_for(lambda: embedded.queue.waiting() == 0)
    assert before < ITEMS
    embedded.check()


def test_a_worker_that_is_told_to_stop_ends_its_batch_and_holds_nothing(embedded):
    embedded.encoders.delay_seconds = 0.2
    worker = embedded.start_worker()
    for number in range(40):
        embedded.queue.put(NewItem(f"i{number}", None, f"title {number}", "c", "s", time.time()))
    embedded.wait_for(lambda: embedded.indexed() > 0)
    started = time.monotonic()
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 0
    assert time.monotonic() - started < 10
    indexed = embedded.indexed()
    assert 0 < indexed < 40
    # Nothing is held: all others can be claimed at once, however long the lease.
    assert len(embedded.queue.claim("next", 100, 3600)) == 40 - indexed
    assert embedded.encoded_again() == 0
