"""What processes of `WorkerProcesses` do in its test."""

import os
import threading
from pathlib import Path

from transforms.input_error import InputError


def work(folder: Path, fails: str, stop: threading.Event) -> None:
    """Leaves a file, waits, and leaves another one; or fails once another process has left its file."""
    (folder / f"{os.getpid()}.begun").touch()
    assert os.environ["PROMETHEUS_MULTIPROC_DIR"]
    if fails:
        while len(list(folder.glob("*.begun"))) < 2:
            stop.wait(0.01)
        try:
            (folder / "failing").mkdir()
        except FileExistsError:
            pass
        else:
            raise {"input": InputError("expected another port"), "defect": RuntimeError("defect")}[fails]
    stop.wait(30)
    (folder / f"{os.getpid()}.ended").touch()
