"""What was acknowledged outlives killed writers, killed servers and full disks."""

import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import embedding_writer
import pytest
from embedding_writer import BATCH, NEWEST, announced, count_stored, open_index, write_batch
from redis_server import RedisServer

from serving.embedding_index.errors import IndexUnavailable
from serving.embedding_index.redis_embedding_index import RedisEmbeddingIndex


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.stop()


def _start_writer(place: str, first: int, *limit: str) -> subprocess.Popen[str]:
    command = [sys.executable, embedding_writer.__file__, place, str(first), *limit]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _kill_later(writer: subprocess.Popen[str], seconds: float) -> list[int]:
    """Kills a writer some time after its first batch; the batches that it had acknowledged."""
    assert writer.stdout is not None
    first = writer.stdout.readline()
    time.sleep(seconds)
    writer.kill()
    lines = first + writer.stdout.read()
    writer.wait()
    writer.stdout.close()
    # A line is a single small write, so that it is there as a whole or not at all.
    return [int(line) for line in lines.split()]


@pytest.mark.parametrize("store", ["lmdb", "redis"])
def test_killed_writers(store: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """20 writers one after the other, each killed somewhere in a batch."""
    place = f"lmdb:{tmp_path / 'index'}" if store == "lmdb" else request.getfixturevalue("redis").url
    rng = random.Random(0)
    acknowledged: list[int] = []
    unfinished: list[int] = []
    for _ in range(20):
        new = _kill_later(_start_writer(place, 1 + max(acknowledged, default=-1)), rng.uniform(0, 0.1))
        acknowledged += new
        unfinished.append(new[-1] + 1)
    index = open_index(place)
    lost = BATCH * len(acknowledged) - sum(count_stored(index, number) for number in acknowledged)
    assert (lost, len(acknowledged) >= 20) == (0, True)
    # Nor is there a part of a batch, or anything twice. The next writer began with the unfinished one.
    stored = [count_stored(index, number) for number in set(acknowledged + unfinished)]
    assert set(stored) <= {0, BATCH}
    assert index.count("image", "v1") == sum(stored) + 1
    # The feed has what is stored, each item once.
    scanned = {item_id for item_ids, _ in index.scan("image", "v1") for item_id in item_ids}
    assert sorted(announced(index)) == sorted(scanned)
    newest = index.get_version("v1", "image", [NEWEST])[0]
    assert newest is not None and newest[0] >= max(acknowledged)
    index.close()


@pytest.mark.parametrize("fsync", ["always", "everysec"])
def test_a_killed_redis(tmp_path: Path, fsync: str) -> None:
    """Ten times in the middle of writing; a killed server, unlike a power cut, takes nothing."""
    server = RedisServer(tmp_path, {"appendfsync": fsync})
    server.start()
    index = RedisEmbeddingIndex(server.url)
    rng = random.Random(0)
    acknowledged: list[int] = []
    for _ in range(10):
        killer = threading.Timer(rng.uniform(0.02, 0.2), server.kill)
        killer.start()
        try:
            while True:
                write_batch(index, len(acknowledged))
                acknowledged.append(len(acknowledged))
        except IndexUnavailable:
            killer.join()
        server.start()
    assert sum(count_stored(index, number) for number in acknowledged) == BATCH * len(acknowledged) > 0
    # The batch that was not acknowledged may have been stored, as a whole.
    assert count_stored(index, len(acknowledged)) in (0, BATCH)
    index.close()
    server.stop()


@pytest.mark.parametrize("mebibytes", [1, 3])
def test_a_full_disk(tmp_path: Path, mebibytes: int) -> None:
    """A limit on the size of files stands in for a full disk: the system writes a part, then no more."""
    place = f"lmdb:{tmp_path}"
    writer = _start_writer(place, 0, str(mebibytes * 2**20 + 1000))
    lines = writer.communicate(timeout=60)[0].splitlines()
    assert writer.returncode == 0
    assert "cannot be written to, is the disk full?" in lines[-1]
    acknowledged = [int(line) for line in lines[:-1]]
    index = open_index(place)
    assert [count_stored(index, number) for number in acknowledged] == [BATCH] * len(acknowledged)
    assert len(acknowledged) > 0
    # With room again it goes on.
    write_batch(index, len(acknowledged))
    assert index.count("image", "v1") == BATCH * (len(acknowledged) + 1) + 1
    index.close()
