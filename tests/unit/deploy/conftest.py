"""Lets the tests of this folder import scripts/, and gives them what deploy/ renders to."""

import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
sys.path.append(str(REPOSITORY))

from scripts.check_deploy.manifests import Manifests
from scripts.check_deploy.secrets import made_secrets


@pytest.fixture(scope="session")
def production() -> Manifests:
    return Manifests.render(REPOSITORY / "deploy" / "kubernetes" / "overlays" / "production")


@pytest.fixture(scope="session")
def small() -> Manifests:
    return Manifests.render(REPOSITORY / "deploy" / "kubernetes" / "overlays" / "small")


@pytest.fixture(scope="session")
def secret_files() -> dict[str, str]:
    return made_secrets(REPOSITORY / "deploy" / "make_secrets.sh")
