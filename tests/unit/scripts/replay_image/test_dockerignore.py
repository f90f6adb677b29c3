"""Which files a build sees."""

from pathlib import Path

import pytest

from scripts.replay_image.dockerignore import read_dockerignore
from transforms.input_error import InputError

REPOSITORY = Path(__file__).resolve().parents[4]


def test_the_last_pattern_that_meets_a_path_or_its_folder_decides() -> None:
    is_ignored = read_dockerignore("# comment\n\n*\n!models\n!a/b.txt\n**/cache\nmodels/?.py\n")
    seen = ["models/ctr/model.py", "models", "a/b.txt", "models/ab.py"]
    left_out = ["x", "x/y", "a/c.txt", "models/cache", "models/x/cache/y", "cache", "models/a.py"]
    assert [path for path in seen + left_out if is_ignored(path)] == left_out


def test_sets_of_characters_are_refused() -> None:
    with pytest.raises(InputError, match=r"got '\[ab\]'"):
        read_dockerignore("[ab]\n")


def test_the_projects_own_lets_the_sources_in_and_nothing_else() -> None:
    is_ignored = read_dockerignore((REPOSITORY / ".dockerignore").read_text(encoding="utf-8"))
    seen = [
        "setup.py",
        "requirements-gpu.lock",
        "scripts/bootstrap.lock",
        "serving/gateway/inspector/index.html",
    ]
    left_out = [".venv/bin/python", ".git/config", "runs/demo/logs", "tests/conftest.py", "requirements.lock"]
    left_out += ["scripts/check.sh", "models/__pycache__/x.pyc", "deploy/compose/secrets/tokens", ".env"]
    assert [path for path in seen + left_out if is_ignored(path)] == left_out
