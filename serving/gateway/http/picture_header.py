"""What a picture's header says, before anything is decoded."""

import io
import warnings
from typing import Final

from PIL import Image

from transforms.canonical_image import DECODING_ERRORS, FORMATS
from transforms.input_error import InputError

# An MPO is a JPEG with further ones behind it, of which all readers take the first.
CONTENT_TYPES: Final = {"JPEG": "image/jpeg", "MPO": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
"""By Pillow's name of a format its media type."""


def picture_type(data: bytes, max_bytes: int, max_pixels: int) -> str:
    """Reads a picture's header.

    Args:
        data: a JPEG, PNG or WebP file.
        max_bytes: the longest file that is looked at.
        max_pixels: the largest width times height.
    Returns:
        Its media type.
    Raises:
        InputError: it is none of these, too long or too large.
    """
    if len(data) > max_bytes:
        raise InputError(f"image: expected at most {max_bytes} bytes, got {len(data)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                name, pixels = image.format, image.width * image.height
    except Image.DecompressionBombError:
        raise InputError(f"image: expected at most {max_pixels} pixels") from None
    except DECODING_ERRORS as error:
        raise InputError("image: expected a JPEG, PNG or WebP file, got none") from error
    if pixels > max_pixels:
        raise InputError(f"image: expected at most {max_pixels} pixels, got {pixels}")
    assert name is not None
    return CONTENT_TYPES[name]
