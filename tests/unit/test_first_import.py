"""Each package may be the first that is imported: the libraries need something said before them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("package", ["components", "models", "pipeline", "serving", "transforms"])
def test_a_package_says_it(package: str) -> None:
    code = f"import {package}, os, sys; print(os.environ['TF_USE_LEGACY_KERAS'], 'tensorflow' in sys.modules)"
    environment = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    said = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.split() == ["1", "False"]
