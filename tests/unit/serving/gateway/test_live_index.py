"""Versions of the recall model's index as they are pushed."""

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from serving.gateway.errors import Unavailable
from serving.gateway.live_index import LiveIndex
from transforms.input_error import InputError


@dataclass
class Opened:
    version: str
    folder: Path
    growing: Any = None


@dataclass
class Opener:
    """Opens folders that are not said to be broken."""

    broken: set[str] = field(default_factory=set)
    opened: list[str] = field(default_factory=list)

    def open(self, version: str, folder: Path) -> Any:
        if version in self.broken or not folder.is_dir():
            raise InputError(f"{version} is broken")
        self.opened.append(version)
        opened = Opened(version, folder)
        opened.growing = type("Growing", (), {"index": []})
        return opened


def push(base_path: Path, version: str) -> None:
    folder = base_path / version / "assets.extra" / "index"
    folder.mkdir(parents=True)
    (folder / "index.json").write_text("{}")


@pytest.fixture
def opener() -> Opener:
    return Opener()


@pytest.fixture
def live(tmp_path: Path, opener: Opener) -> LiveIndex:
    return LiveIndex(tmp_path / "recall", opener.open)


def test_opens_the_last_two_that_have_an_index(live: LiveIndex, opener: Opener) -> None:
    live.refresh()
    for version in ("9", "10", "1"):
        push(live.base_path, version)
    for name in ("11", "tmp", "-3", "١٢", str(2**63)):
        (live.base_path / name).mkdir()
    live.refresh()
    live.refresh()
    assert opener.opened == ["10", "9"] and live.current is None
    push(live.base_path, "12")
    assert live.version("9").version == "9"
    live.refresh()
    assert opener.opened == ["10", "9", "12"]
    # The one that answers is kept, however old it is.
    push(live.base_path, "13")
    live.refresh()
    assert live.current is not None and live.current.version == "9"
    assert live.version("13").version == "13" and opener.opened[-1] == "13"


def test_opens_what_a_request_meets_first(live: LiveIndex, opener: Opener) -> None:
    push(live.base_path, "3")
    assert live.version("3").folder == live.base_path / "3"
    assert live.current is live.version("3") and opener.opened == ["3"]
    with pytest.raises(Unavailable, match="recall version 4 has no index"):
        live.version("4")
    assert live.current.version == "3"


def test_a_broken_one_is_told_of_once_and_tried_again(
    live: LiveIndex, opener: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    push(live.base_path, "3")
    push(live.base_path, "4")
    opener.broken.add("4")
    with caplog.at_level(logging.ERROR):
        live.refresh()
        live.refresh()
    assert len(caplog.records) == 1 and opener.opened == ["3"]
    opener.broken.clear()
    live.refresh()
    assert opener.opened == ["3", "4"]
