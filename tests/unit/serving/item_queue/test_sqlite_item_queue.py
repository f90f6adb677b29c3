"""What is the database file's own: disks that are full, processes that die, files that are none."""

import multiprocessing
import os
import resource
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from serving.item_queue.config import QueueConfig
from serving.item_queue.errors import QueueFull, QueueUnavailable
from serving.item_queue.new_item import NewItem
from serving.item_queue.sqlite_item_queue import SqliteItemQueue
from transforms.input_error import InputError

SPAWN = multiprocessing.get_context("spawn")


def item(item_id: str, size: int = 10) -> NewItem:
    return NewItem(item_id, bytes(size), "title", "c", "s", 1.0)


def put_until_killed(path: Path, sender) -> None:
    queue = SqliteItemQueue(path)
    for number in range(100_000):
        queue.put(item(str(number), 3_000))
        sender.send(number)


def claim_and_hang(path: Path, sender) -> None:
    sender.send(len(SqliteItemQueue(path).claim("dead", 3, 0.5)))
    time.sleep(60)


def open_and_put(path: Path, barrier, number: int) -> None:
    barrier.wait()
    queue = SqliteItemQueue(path)
    for each in range(5):
        queue.put(item(f"{number}-{each}"))


def put_on_a_disk_of(path: Path, max_bytes: int, sender) -> None:
    queue = SqliteItemQueue(path)
    queue.put(item("first", 20_000))
    resource.setrlimit(resource.RLIMIT_FSIZE, (max_bytes, max_bytes))
    stored = 1
    try:
        for number in range(1_000):
            queue.put(item(str(number), 20_000))
            stored += 1
    except (QueueFull, QueueUnavailable) as error:
        sender.send((stored, type(error).__name__))


def test_a_killed_producer_loses_nothing_that_was_acknowledged(tmp_path):
    receiver, sender = SPAWN.Pipe(duplex=False)
    process = SPAWN.Process(target=put_until_killed, args=(tmp_path / "q.db", sender))
    process.start()
    while receiver.recv() < 20:
        pass
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    acknowledged = 20
    while receiver.poll():
        try:
            acknowledged = receiver.recv()
        except (EOFError, OSError):  # the end, perhaps in the middle of a number
            break
    queue = SqliteItemQueue(tmp_path / "q.db")
    found = [claim.item.item_id for claim in queue.claim("w", 100_000, 60)]
    # In order, without a gap, and at most the one that was just being put is more than was acknowledged.
    assert found == [str(number) for number in range(len(found))]
    assert acknowledged + 1 <= len(found) <= acknowledged + 2


def test_a_killed_worker_s_claims_come_back_after_the_lease(tmp_path):
    queue = SqliteItemQueue(tmp_path / "q.db")
    for name in "abc":
        queue.put(item(name))
    receiver, sender = SPAWN.Pipe(duplex=False)
    process = SPAWN.Process(target=claim_and_hang, args=(tmp_path / "q.db", sender))
    process.start()
    assert receiver.recv() == 3
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert queue.claim("w", 9, 3600) == []
    time.sleep(0.5)
    assert [claim.attempts for claim in queue.claim("w", 9, 0.5)] == [2, 2, 2]


def test_processes_that_make_the_file_at_once_all_get_it(tmp_path):
    barrier = SPAWN.Barrier(4)
    processes = [
        SPAWN.Process(target=open_and_put, args=(tmp_path / "new" / "q.db", barrier, number))
        for number in range(4)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert SqliteItemQueue(tmp_path / "new" / "q.db").waiting() == 20


def test_a_disk_that_fills_up_refuses_and_keeps_what_it_has(tmp_path):
    receiver, sender = SPAWN.Pipe(duplex=False)
    process = SPAWN.Process(target=put_on_a_disk_of, args=(tmp_path / "q.db", 300_000, sender))
    process.start()
    stored, kind = receiver.recv()
    process.join()
    assert process.exitcode == 0
    assert kind in ("QueueFull", "QueueUnavailable")
    assert 2 <= stored <= 15  # 15 x 20,000 are 300,000
    queue = SqliteItemQueue(tmp_path / "q.db")
    claims = queue.claim("w", 100, 60)
    names = ["first", *(str(number) for number in range(stored - 1))]
    assert [claim.item.item_id for claim in claims] == names
    assert all(claim.item.image == bytes(20_000) for claim in claims)
    assert queue.acknowledge(claims) == claims


def test_a_full_database_takes_no_item_and_works_on_what_it_has(tmp_path):
    queue = SqliteItemQueue(tmp_path / "q.db")
    queue.put(item("a", 20_000))
    pages = queue._connection().execute("PRAGMA page_count").fetchone()[0]
    queue._connection().execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(QueueFull, match="full"):
        queue.put(item("b", 20_000))
    assert queue.waiting() == 1
    claims = queue.claim("w", 9, 60)
    assert [claim.item for claim in claims] == [item("a", 20_000)]
    queue.acknowledge(claims)
    queue.put(item("b", 20_000))
    assert queue.waiting() == 1


def test_its_room_is_used_again(tmp_path):
    queue = SqliteItemQueue(tmp_path / "q.db")

    def work() -> int:
        for number in range(10):
            queue.put(item(str(number), 50_000))
        queue.acknowledge(queue.claim("w", 10, 60))
        return queue._connection().execute("PRAGMA page_count").fetchone()[0]

    first = work()
    assert [work() for _ in range(3)] == [first] * 3


def test_every_commit_is_synced(tmp_path):
    connection = SqliteItemQueue(tmp_path / "q.db")._connection()
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_a_lock_that_is_held_too_long_is_said(tmp_path):
    queue = SqliteItemQueue(tmp_path / "q.db", timeout_seconds=0.05)
    other = sqlite3.connect(tmp_path / "q.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(QueueUnavailable, match="locked"):
        queue.put(item("a"))
    other.execute("COMMIT")
    queue.put(item("a"))
    assert queue.waiting() == 1


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "q.db").write_bytes(b"something else" * 1_000)
    with pytest.raises(InputError, match="q.db: expected a queue's database file"):
        SqliteItemQueue(tmp_path / "q.db")


@pytest.mark.parametrize("name", ["max_items", "max_bytes", "max_claim_bytes", "max_dead"])
def test_bounds_below_one_are_refused(name):
    with pytest.raises(InputError, match=f"queue.{name} must be at least 1, got 0"):
        QueueConfig(**{name: 0})
