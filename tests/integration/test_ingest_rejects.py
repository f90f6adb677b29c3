"""Rejects are kept whole, whatever their size."""

from pathlib import Path

import pytest
from ingest_run import run_ingest
from small_logs import BASE, HOUR, good_logs, one_file, write_logs

from transforms import ingest_logs
from transforms.ingest_config import IngestConfig


def test_rejects_that_do_not_fit_in_one_batch_go_to_several_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Six files, each of one item with a picture of 5,000 bytes that is none; 12,000 bytes hold two of them.
    monkeypatch.setattr(ingest_logs, "_REJECT_BYTES", 12_000)
    # All files in one shard.
    monkeypatch.setattr(ingest_logs, "_REJECT_SHARDS", 1)
    logs = {log: one_file(rows) for log, rows in good_logs().items()}
    broken = [{"item_id": f"broken{number}", "image": bytes([number]) * 5_000} for number in range(6)]
    logs["catalog"] += [[[row]] for row in broken]
    config = IngestConfig(features=(), max_reject_fraction=1.0)
    found = run_ingest(write_logs(tmp_path / "logs", logs), tmp_path / "out", config, BASE + 10 * HOUR)
    assert len(list((tmp_path / "out" / "rejects" / "catalog").iterdir())) == 3
    assert {row["item_id"]: row["image"] for row in found.rejects["catalog"]} == {
        row["item_id"]: row["image"] for row in broken
    }
    assert found.counts["rejects"]["catalog"] == {"unreadable_image": 6}
