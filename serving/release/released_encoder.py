"""An encoder of a release."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ReleasedEncoder:
    """An encoder of a release.

    Attributes:
        version: the pushed version, as the model server and the embedding index call it.
        fingerprint: names its weights; the release's embeddings are of the encoder with this one.
    """

    version: str
    fingerprint: str
