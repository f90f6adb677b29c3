"""Several processes share one index."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import embedding_writer
from embedding_writer import BATCH, NEWEST, count_stored, item_ids, open_index, write_batch

from serving.embedding_index.lmdb_embedding_index import LmdbEmbeddingIndex

# What a reader does until it sees the batch that is to come last.
_READER = """
import sys
sys.path[:0] = sys.argv[3:]
from embedding_writer import NEWEST, count_stored, open_index
index, last = open_index(sys.argv[1], readonly=True), int(sys.argv[2])
reads, newest = 0, -1
while newest < last:
    before, newest = newest, int(index.get("image", [NEWEST])[0][0])
    assert newest >= before, f"went back from {before} to {newest}"
    for number in {newest, newest // 2}:
        assert count_stored(index, number) == 500, number
    reads += 1
print(reads)
"""

# Kills itself in the middle of a read.
_KILLED_READER = """
import os, signal, sys
sys.path[:0] = sys.argv[2:]
from embedding_writer import open_index
index = open_index(sys.argv[1])
index._environment.read(lambda transaction: os.kill(os.getpid(), signal.SIGKILL))
"""


def _python(code: str, *arguments: str) -> list[str]:
    support = Path(embedding_writer.__file__).parent
    return [sys.executable, "-c", code, *arguments, str(support), str(support.parents[1])]


def test_readers_follow_a_writer_whose_map_grows(tmp_path: Path) -> None:
    """Three processes read while this one writes 100 MiB, which is more than the map has at first."""
    place, last = f"lmdb:{tmp_path}", 700
    index = open_index(place)
    write_batch(index, 0)
    index.serve("image", "v1")
    command = _python(_READER, place, str(last))
    readers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for number in range(1, last + 1):
        write_batch(index, number)
    reads = [int(reader.communicate(timeout=120)[0]) for reader in readers]
    assert [reader.returncode for reader in readers] == [0, 0, 0]
    assert min(reads) > 1
    assert (tmp_path / "data.mdb").stat().st_size > 64 * 2**20
    index.close()


def test_writers_in_several_processes(tmp_path: Path) -> None:
    """Two processes write into the same version, whose map both enlarge, and lose nothing of each other's."""
    place = f"lmdb:{tmp_path}"
    command = [sys.executable, embedding_writer.__file__, place]
    writers = [subprocess.Popen([*command, first], stdout=subprocess.PIPE) for first in ("0", "10000")]
    index = open_index(place)
    deadline = time.monotonic() + 120
    while (tmp_path / "data.mdb").stat().st_size < 100 * 2**20:
        assert time.monotonic() < deadline and all(writer.poll() is None for writer in writers)
        time.sleep(0.05)
    for writer in writers:
        writer.kill()
    acknowledged = [[int(line) for line in writer.communicate()[0].split()] for writer in writers]
    stored = [count_stored(index, number) for numbers in acknowledged for number in numbers]
    assert stored == [BATCH] * len(stored)
    assert min(map(len, acknowledged)) > 1
    # Beyond what was acknowledged, each may have stored one more batch.
    beyond = index.count("image", "v1") - 1 - BATCH * len(stored)
    assert beyond in (0, BATCH, 2 * BATCH)
    assert index.known("v1", "image", [NEWEST, *item_ids(acknowledged[1][-1])[:2]]) == [True] * 3
    index.close()


def test_a_killed_reader_keeps_no_pages(tmp_path: Path) -> None:
    """Pages of the state that somebody reads must not be used again, those of a dead reader may."""
    index = LmdbEmbeddingIndex(tmp_path, max_bytes=2 * 2**20)
    write_batch(index, 0)
    reader = subprocess.run(_python(_KILLED_READER, f"lmdb:{tmp_path}"), check=False, timeout=60)
    assert reader.returncode == -signal.SIGKILL
    for _ in range(50):  # 6 MiB
        write_batch(index, 0)
    assert count_stored(index, 0) == BATCH
    index.close()
