"""The release that serving goes by."""

import logging
from pathlib import Path

from serving.gateway.config import GatewayConfig
from serving.gateway.pushed_descriptions import PushedDescriptions
from serving.release.release import RELEASE_FILE, Release
from transforms.input_error import InputError

_LOG = logging.getLogger(__name__)


class CurrentRelease:
    """Reads `release.json` anew whenever it was replaced; one that cannot be read leaves the old one in use.

    Args:
        serving_root: the folder that has it, and the pushed models.
        config: their names.
    """

    def __init__(self, serving_root: Path, config: GatewayConfig) -> None:
        self.path = serving_root / RELEASE_FILE
        self._descriptions = PushedDescriptions(serving_root, config)
        self.release: Release | None = None
        self._stamp: tuple[int, int] | None = None

    def refresh(self) -> None:
        """Looks whether there is a new one."""
        self._descriptions.refresh()
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

        From the push of a model to the release that names it, and while that is being published, the index still
        serves the vectors of the one before. Vectors of two encoders do not compare, and the model does better
        with those that it was saved with. What it was made with stands in its description; of a model or an
        encoder without one only the release tells.

        Args:
            model: "ctr" or "recall".
            version: of the model.
            modality: "image" or "text".
            encoder_version: of the vectors.
        """
        fingerprint = self._fingerprint(modality, encoder_version)
        if fingerprint is not None and self._descriptions.is_there(model, version):
            wanted = self._descriptions.encoder(model, version, modality)
            return wanted is None or wanted == fingerprint
        release = self.release
        if release is None or modality not in release.encoders:
            return True
        released = release.ctr if model == "ctr" else release.recall
        if released is None or released.version != version:
            return True
        return release.encoders[modality].version == encoder_version

    def _fingerprint(self, modality: str, version: str) -> str | None:
        found = self._descriptions.fingerprint(modality, version)
        released = self.release.encoders.get(modality) if self.release is not None else None
        if found is None and released is not None and released.version == version:
            return released.fingerprint
        return found
