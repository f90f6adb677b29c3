"""Whether a picture can be decoded, within bounds."""

import io
import struct
import warnings
import zlib

from PIL import Image

FORMATS = ("JPEG", "PNG", "WEBP")

# A decoder that meets a broken file raises one of many types; each means the same here.
_DECODING_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    TypeError,
    LookupError,
    RuntimeError,
    struct.error,
    zlib.error,
)


def image_problem(data: bytes, max_bytes: int, max_pixels: int) -> str | None:
    """Names what is wrong with a picture, or returns None.

    The header bounds the size before anything is decoded, so that a decompression bomb costs nothing.
    JPEGs are decoded at an eighth of their size, which still reads every byte.

    Args:
        data: a JPEG, PNG or WebP file.
        max_bytes: the longest file that is looked at.
        max_pixels: the largest width times height that is decoded.
    Returns:
        "oversized_image", "unreadable_image" or None.
    """
    if len(data) > max_bytes:
        return "oversized_image"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                if image.width * image.height > max_pixels:
                    return "oversized_image"
                image.draft("RGB", (max(1, image.width // 8), max(1, image.height // 8)))
                image.load()
    except Image.DecompressionBombError:
        return "oversized_image"
    except _DECODING_ERRORS:
        return "unreadable_image"
    return None
