"""One small run of the real pipeline, killed in every stage on its way, which all e2e tests look at."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ADLENS = Path(sys.executable).parent / "adlens"

# The stages that take long enough to be hit; the others end within milliseconds of starting.
KILLED_STAGES = (
    "LogIngest",
    "ImageEncoder",
    "TextEncoder",
    "Transform",
    "CatalogEmbedder",
    "MakeTrainer",
    "CtrTrainer",
    "Inspector",
    "Evaluator",
    "Report",
)


@dataclass(frozen=True)
class FinishedRun:
    """A finished run.

    Attributes:
        logs: the logs it read.
        root: its ROOT.
        killed_in: the stages in which it was killed, in order.
        output: what the last call, which ended well, printed.
    """

    logs: Path
    root: Path
    killed_in: tuple[str, ...]
    output: str

    def command(self, root: Path, *more: str) -> list[str]:
        """The command line of a run over the same logs."""
        return _command(self.logs, root, *more)


def _command(logs: Path, root: Path, *more: str) -> list[str]:
    # Augmentation draws in an order of its own each time; all else is the same in every run, killed or not.
    same = ["--preset", "tiny", "--set", "image_encoder.augmentation=0"]
    return [str(ADLENS), "run", "--logs", str(logs), "--root", str(root), *same, *more]


@pytest.fixture(scope="session")
def tiny_logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    logs = tmp_path_factory.mktemp("e2e") / "logs"
    subprocess.run([ADLENS, "simulate", "--preset", "tiny", "--out", str(logs)], check=True)
    return logs


@pytest.fixture(scope="session")
def finished_run(tiny_logs: Path) -> FinishedRun:
    root = tiny_logs.parent / "root"
    killed = tuple(stage for stage in KILLED_STAGES if _kill_in(stage, _command(tiny_logs, root)))
    done = subprocess.run(_command(tiny_logs, root), capture_output=True, check=False, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    return FinishedRun(tiny_logs, root, killed, done.stderr + done.stdout)


def _kill_in(stage: str, command: list[str]) -> bool:
    """Starts the command and kills it, without warning, once it says that the stage has started."""
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stderr is not None
    for line in process.stderr:
        if f"] {stage} " in line:
            os.killpg(process.pid, signal.SIGKILL)
            break
    process.stderr.close()
    return process.wait(timeout=60) == -signal.SIGKILL
