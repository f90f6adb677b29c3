"""An item that is new or has changed."""

import math
from dataclasses import dataclass

from serving.checked_arguments import MAX_ID_BYTES, check_text
from transforms.ingest_config import IngestConfig
from transforms.input_error import InputError

MAX_TITLE_BYTES = 16_384
# The same bound as the logs'.
MAX_IMAGE_BYTES = IngestConfig.max_image_bytes


@dataclass(frozen=True)
class NewItem:
    """An item that is new or has changed, as its shop describes it.

    Attributes:
        item_id: names the item; 1 to 256 bytes of UTF-8.
        image: a JPEG, PNG or WebP file; None where there is no picture.
        title: None where there is none.
        category_id: its category.
        shop_id: its shop.
        introduced_at: seconds since the epoch at which it was received.
    Raises:
        InputError: a text that is too long or no UTF-8, a picture that is too large, a time that is none.
    """

    item_id: str
    image: bytes | None
    title: str | None
    category_id: str
    shop_id: str
    introduced_at: float

    def __post_init__(self) -> None:
        check_text("item item_id", self.item_id, 1, MAX_ID_BYTES)
        check_text("item category_id", self.category_id, 0, MAX_ID_BYTES)
        check_text("item shop_id", self.shop_id, 0, MAX_ID_BYTES)
        if self.title is not None:
            check_text("item title", self.title, 0, MAX_TITLE_BYTES)
        if self.image is not None and len(self.image) > MAX_IMAGE_BYTES:
            raise InputError(f"item image: expected at most {MAX_IMAGE_BYTES} bytes, got {len(self.image)}")
        if not math.isfinite(self.introduced_at):
            raise InputError(f"item introduced_at: expected a finite time, got {self.introduced_at}")

    def content(self, modality: str) -> bytes | None:
        """What an encoder of the modality, "image" or "text", gets; None where there is nothing to encode."""
        if modality == "image":
            return self.image or None
        return self.title.encode() if self.title and self.title.strip() else None

    @property
    def size(self) -> int:
        """Bytes of its content."""
        return len(self.image or b"") + len((self.title or "").encode())
