"""The items that each version of the recall model recalls."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from serving.gateway.errors import Unavailable
from serving.gateway.recall_version import INDEX_FOLDER, RecallVersion
from serving.retrieval.index_description import DESCRIPTION_FILE
from transforms.input_error import InputError

_LOG = logging.getLogger(__name__)

# While a version is pushed, requests that began with the one before it still end.
_KEPT = 2
_MAX_VERSION = 2**63

OpenVersion = Callable[[str, Path], RecallVersion]


class LiveIndex:
    """Opens the indexes of the recall model's versions as they are pushed, and keeps the last two.

    Args:
        base_path: the recall model's: folders of its versions.
        open_version: opens a version, of that name, in that folder.
    """

    def __init__(self, base_path: Path, open_version: OpenVersion) -> None:
        self.base_path = base_path
        self._open_version = open_version
        self._lock = threading.Lock()
        self._loaded: dict[str, RecallVersion] = {}
        self._broken: dict[str, str] = {}
        self._current: str | None = None

    @property
    def current(self) -> RecallVersion | None:
        """The version that was asked for last, which is the one that the model server has."""
        return self._loaded.get(self._current) if self._current is not None else None

    def refresh(self) -> None:
        """Opens versions that are new."""
        for version in self._on_disk()[:_KEPT]:
            if version not in self._loaded:
                self._try_to_open(version)
        with self._lock:
            kept = {*sorted(self._loaded, key=int)[-_KEPT:], self._current}
            self._loaded = {version: each for version, each in self._loaded.items() if version in kept}

    def version(self, version: str) -> RecallVersion:
        """The version that has answered a request, which is opened if it is not yet.

        Raises:
            Unavailable: it cannot be.
        """
        found = self._loaded.get(version) or self._open_now(version)
        self._current = version
        return found

    def _open_now(self, version: str) -> RecallVersion:
        with self._lock:
            try:
                return self._loaded.get(version) or self._open(version)
            except InputError as error:
                raise Unavailable(f"recall version {version} has no index: {error}") from error

    def _try_to_open(self, version: str) -> None:
        with self._lock:
            try:
                if version not in self._loaded:
                    self._open(version)
            except InputError as error:
                if self._broken.get(version) != str(error):
                    _LOG.error("recall version %s: %s", version, error)
                self._broken = {version: str(error)}

    def _open(self, version: str) -> RecallVersion:
        opened = self._open_version(version, self.base_path / version)
        self._loaded = self._loaded | {version: opened}
        _LOG.info("recall version %s: %d items", version, len(opened.growing.index))
        return opened

    def _on_disk(self) -> list[str]:
        """The versions that have an index, the latest first."""
        try:
            names = [each.name for each in self.base_path.iterdir()]
        except OSError:
            return []
        numbers = {int(name) for name in names if name.isascii() and name.isdigit() and len(name) < 20}
        versions = [str(each) for each in sorted(numbers, reverse=True) if each < _MAX_VERSION]
        return [
            each for each in versions if (self.base_path / each / INDEX_FOLDER / DESCRIPTION_FILE).is_file()
        ]
