"""LogIngest writes the same on several processes of this machine; test_beam_workers.py has the portable ones."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ingest_run import IN_MEMORY, Ingested, run_ingest
from small_logs import BASE, HOUR, good_logs, write_logs

from transforms.ingest_config import IngestConfig

CONFIG = IngestConfig(features=(), rows_per_file=20)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Logs in two files each, with a duplicate and an unknown item."""
    rows = good_logs()
    rows["impressions"][7]["item_id"] = "gone"
    rows["purchases"][9]["purchase_id"] = "p0"
    files = {log: [[entries[1::2]], [entries[::2]]] for log, entries in rows.items()}
    return write_logs(tmp_path_factory.mktemp("runners") / "logs", files)


@pytest.fixture(scope="module")
def in_memory(logs: Path, tmp_path_factory: pytest.TempPathFactory) -> Ingested:
    """What the in-memory runner makes of the logs."""
    found = run_ingest(logs, tmp_path_factory.mktemp("in_memory"), CONFIG, BASE + 10 * HOUR, IN_MEMORY)
    # 60 impressions without the one of an unknown item, 10 purchases without the duplicate.
    assert sum(found.counts["splits"].values()) == 59
    assert found.counts["used"]["purchases"] == 9
    return found


def test_multi_process_runner(logs: Path, in_memory: Ingested, tmp_path: Path) -> None:
    flags = ("--runner=DirectRunner", "--direct_running_mode=multi_processing", "--direct_num_workers=2")
    assert_equal(run_ingest(logs, tmp_path, CONFIG, BASE + 10 * HOUR, flags), in_memory)


def test_hashes_are_those_of_another_process() -> None:
    # Python's own hash of a string is salted by process; users' shards must not be.
    code = (
        "import pyarrow as pa; from transforms.record_batches import stable_hash;"
        "print(*stable_hash(pa.array(['ann', 'bob', None, 'ü'])))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONHASHSEED"}
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=environment | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1
    assert len(set(printed.pop().split())) == 4


def assert_equal(found: Ingested, wanted: Ingested) -> None:
    """Everything is the same but the order of the rows of pairs and catalog, which has no meaning."""
    assert found.examples == wanted.examples
    assert found.item_stats == wanted.item_stats
    assert found.rejects == wanted.rejects
    assert found.counts == wanted.counts
    for split, pairs in wanted.pairs.items():
        assert sorted(found.pairs[split], key=repr) == sorted(pairs, key=repr)
    assert sorted(found.catalog, key=repr) == sorted(wanted.catalog, key=repr)
