"""The release that serving goes by."""

import logging
from pathlib import Path

from serving.release.release import RELEASE_FILE, Release
from transforms.input_error import InputError

_LOG = logging.getLogger(__name__)


class CurrentRelease:
    """Reads `release.json` anew whenever it was replaced; one that cannot be read leaves the old one in use.

    Args:
        serving_root: the folder that has it.
    """

    def __init__(self, serving_root: Path) -> None:
        self.path = serving_root / RELEASE_FILE
        self.release: Release | None = None
        self._stamp: tuple[int, int] | None = None

    def refresh(self) -> None:
        """Looks whether there is a new one."""
        try:
            status = self.path.stat()
        except OSError:
            return
        stamp = status.st_mtime_ns, status.st_ino
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self.release = Release.read(self.path)
        except InputError as error:
            _LOG.error("%s", error)
            return
        _LOG.info("release %d", self.release.number)

    def fits(self, model: str, version: str, modality: str, encoder_version: str) -> bool:
        """Whether a model may be given vectors of an encoder version: unless it is known to be made with another.

        While a release is being published, the index still serves the vectors of the one before. Vectors of two
        encoders do not compare, and the model does better with those that it was saved with.

        Args:
            model: "ctr" or "recall".
            version: of the model.
            modality: "image" or "text".
            encoder_version: of the vectors.
        """
        release = self.release
        if release is None or modality not in release.encoders:
            return True
        released = release.ctr if model == "ctr" else release.recall
        if released is None or released.version != version:
            return True
        return release.encoders[modality].version == encoder_version
