"""`make deploy-check`, which renders and checks everything in deploy/."""

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def test_deploy_has_no_problem() -> None:
    line = [sys.executable, "-m", "scripts.check_deploy"]
    done = subprocess.run(line, cwd=REPOSITORY, check=False, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout.partition(",")[2].strip()) == (0, "0 problems"), done.stderr
