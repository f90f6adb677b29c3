"""What all tests share: quiet libraries, and the real data where it is there."""

import os
from pathlib import Path

import pytest

# Before any test imports TensorFlow, which reads both once.
import transforms  # noqa: F401

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def movielens_dir() -> Path:
    """The folder with MovieLens and its posters; skips where it is absent."""
    data = Path(os.environ.get("ADLENS_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    folder = data / "movielens"
    if not (folder / "ratings.csv").is_file():
        pytest.skip(
            f"real data: no {folder}/ratings.csv; set ADLENS_TEST_DATA to the folder that holds movielens/"
        )
    return folder
