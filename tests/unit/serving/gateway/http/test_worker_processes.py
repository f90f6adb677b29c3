"""Several processes on one port; what they serve is made light."""

import functools
import os
import threading
import time
from pathlib import Path

import pytest
from light_worker import work

from serving.gateway.http.worker_processes import WorkerProcesses


def test_they_run_until_told_to_stop(tmp_path: Path) -> None:
    stop, codes = threading.Event(), []
    processes = WorkerProcesses(functools.partial(work, tmp_path, ""), 2)
    thread = threading.Thread(target=lambda: codes.append(processes.run(stop)))
    thread.start()
    while len(list(tmp_path.glob("*.begun"))) < 2:
        assert thread.is_alive()
        time.sleep(0.05)
    stop.set()
    thread.join(30)
    assert codes == [0] and len(list(tmp_path.glob("*.ended"))) == 2
    assert "PROMETHEUS_MULTIPROC_DIR" not in os.environ


@pytest.mark.parametrize("fails", ["input", "defect"])
def test_one_that_ends_ends_all(tmp_path: Path, capfd: pytest.CaptureFixture[str], fails: str) -> None:
    assert WorkerProcesses(functools.partial(work, tmp_path, fails), 2).run(threading.Event()) == 1
    assert len(list(tmp_path.glob("*.begun"))) == 2 and len(list(tmp_path.glob("*.ended"))) == 1
    said = capfd.readouterr().err
    assert ("adlens: expected another port" in said) == (fails == "input")
    assert ("Traceback" in said) == (fails == "defect")
