"""Lets the tests of this folder import what lies in tests/support, and saves the tiny encoders once."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[3] / "support"))

from tiny_encoders import save_image_encoder, save_text_encoder


@pytest.fixture(scope="session")
def image_encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The uri of an encoder of mean colors."""
    return save_image_encoder(tmp_path_factory.mktemp("image_encoder"))


@pytest.fixture(scope="session")
def text_encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The uri of an encoder of lengths."""
    return save_text_encoder(tmp_path_factory.mktemp("text_encoder"))
