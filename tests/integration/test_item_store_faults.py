"""What an item store acknowledged outlives killed writers."""

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import item_writer
import pytest
from item_writer import BATCH, count_stored
from redis_server import RedisServer

from serving.item_store.open_item_store import open_item_store


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    server = RedisServer(tmp_path)
    server.start()
    yield server.url
    server.stop()


def _write_until_killed(address: str, first: int, seconds: float) -> list[int]:
    """The batches that a writer had acknowledged; it is killed some time after its first one."""
    command = [sys.executable, item_writer.__file__, address, str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        lines = writer.stdout.readline()
        time.sleep(seconds)
        writer.kill()
        # A line is a single small write, so that it is there as a whole or not at all.
        return [int(line) for line in (lines + writer.stdout.read()).split()]


@pytest.mark.parametrize("store", ["lmdb", "redis"])
def test_killed_item_writers(store: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Five writers one after the other, each killed somewhere in a batch."""
    address = str(tmp_path / "items") if store == "lmdb" else request.getfixturevalue("redis_url")
    rng = random.Random(0)
    acknowledged: list[int] = []
    unfinished: list[int] = []
    for _ in range(5):
        new = _write_until_killed(address, len(acknowledged), rng.uniform(0, 0.1))
        acknowledged += new
        unfinished.append(new[-1] + 1)
    opened = open_item_store(address)
    assert acknowledged == list(range(len(acknowledged)))
    assert {count_stored(opened, number) for number in acknowledged} == {BATCH}
    # Nor is there a part of a batch.
    stored = [count_stored(opened, number) for number in {*acknowledged, *unfinished}]
    assert set(stored) <= {0, BATCH}
    assert opened.count() == sum(stored)
    assert len(opened.first(10_000)) == min(sum(stored), 10_000)
    opened.close()
