"""What of an item is embedded: its picture and its title."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Modality:
    """One side of an item that has an encoder of its own.

    Attributes:
        name: "image" or "text"; columns of the embeddings are named after it.
        content: the catalog's column that is encoded.
        reject_reason: the reason of an item that the encoder's graph cannot read.
    """

    name: str
    content: str
    reject_reason: str


IMAGE = Modality("image", content="image", reject_reason="undecodable_image")
TEXT = Modality("text", content="title", reject_reason="unreadable_text")
MODALITIES = (IMAGE, TEXT)
