"""One form for every picture, so that all who decode it see the same pixels."""

import io
import re
import struct
import warnings
import zlib

import numpy as np
from PIL import ExifTags, Image

FORMATS = ("JPEG", "PNG", "WEBP")

OVERSIZED = "oversized_image"
UNREADABLE = "unreadable_image"

# A decoder that meets a broken file raises one of many types; each means the same here.
DECODING_ERRORS = (
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

# What turns a picture of each EXIF orientation upright.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# libpng, which TensorFlow reads with, refuses longer sides.
_MAX_SIDE = 1_000_000

_JPEG_QUALITY = 95
# Markers of frames that are neither baseline, extended nor progressive; TensorFlow reads no lossless ones.
_OTHER_FRAMES = (0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
# What ends a scan: a marker that is neither a stuffed byte, nor fill, nor a restart.
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")

_PNG_CRITICAL = (b"IHDR", b"PLTE", b"IDAT", b"IEND")


def canonical_image(data: bytes, max_bytes: int, max_pixels: int) -> tuple[bytes, str | None]:
    """Brings a picture into the form that `tf.io.decode_image` reads as it is meant to be seen.

    An upright, opaque, still, 8-bit gray or RGB file stays as it is, byte for byte; TensorFlow decodes it
    alike. Any other is turned upright by its EXIF orientation, laid on white, reduced to 8 bits and to its
    first frame, and encoded anew without metadata, as PNG if it was one and else as JPEG.

    The header bounds the size before anything is decoded, so that a decompression bomb costs nothing. A
    JPEG that stays as it is is decoded at an eighth of its size, which still reads every byte.

    Args:
        data: a JPEG, PNG or WebP file, whatever its name says.
        max_bytes: the longest file that is looked at.
        max_pixels: the largest width times height that is decoded.
    Returns:
        The picture and None; or, of a picture that cannot be used, the data as they came and the reason,
        "oversized_image" or "unreadable_image".
    """
    if len(data) > max_bytes:
        return data, OVERSIZED
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                if image.width * image.height > max_pixels or max(image.size) > _MAX_SIDE:
                    return data, OVERSIZED
                if image.format == "PNG":
                    image.load()  # Transparency and EXIF may stand behind the pixels.
                orientation = _orientation(image)
                if orientation in _UPRIGHT or not _is_plain(image, data):
                    return _encode(image, orientation), None
                image.draft(image.mode, (max(1, image.width // 8), max(1, image.height // 8)))
                image.load()
    except Image.DecompressionBombError:
        return data, OVERSIZED
    except DECODING_ERRORS:
        return data, UNREADABLE
    return data, None


def _orientation(image: Image.Image) -> object:
    try:
        return image.getexif().get(ExifTags.Base.Orientation)
    except DECODING_ERRORS:
        return None  # Metadata that nobody can read turn no picture.


def _is_plain(image: Image.Image, data: bytes) -> bool:
    """Whether TensorFlow's decoder reads the file, and as the picture that it shows."""
    if image.mode not in ("L", "RGB") or "transparency" in image.info:
        return False
    if image.format == "PNG":
        return getattr(image, "n_frames", 1) == 1 and _is_sound_png(data)
    if image.format == "WEBP":
        return not _is_animation(data)
    # A JPEG, or several in one file, the first of which all decoders take.
    return _is_sound_jpeg(data)


def _is_sound_png(data: bytes) -> bool:
    """Whether all chunks to the last are known and have the right checksums; libpng stops at others."""
    place = len(b"\x89PNG\r\n\x1a\n")
    while place + 12 <= len(data):
        kind = data[place + 4 : place + 8]
        end = place + 8 + int.from_bytes(data[place : place + 4])
        if zlib.crc32(data[place + 4 : end]) != int.from_bytes(data[end : end + 4]):
            return False
        if kind[:1].isupper() and kind not in _PNG_CRITICAL:
            return False
        if kind == b"IEND":
            return True
        place = end + 4
    return False


def _is_animation(webp: bytes) -> bool:
    """Whether an extended header says so, be it of a single frame."""
    return webp[12:16] == b"VP8X" and bool(webp[20] & 2)


def _is_sound_jpeg(data: bytes) -> bool:
    """Whether common frames and scans run to the end of the image; TensorFlow refuses one without an end."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker in _OTHER_FRAMES:
            return False
        place += 2 + int.from_bytes(data[place + 2 : place + 4])
        if marker == _START_OF_SCAN:
            found = _MARKER.search(data, place)
            if found is None:
                return False
            place = found.start()
            if data[place + 1] == _END_OF_IMAGE:
                return True
    return False


def _encode(image: Image.Image, orientation: object) -> bytes:
    image.load()
    image_format = "PNG" if image.format == "PNG" else "JPEG"
    shown = _to_opaque(image)
    if orientation in _UPRIGHT:
        shown = shown.transpose(_UPRIGHT[orientation])
    shown.info = {}
    stream = io.BytesIO()
    shown.save(stream, image_format, quality=_JPEG_QUALITY)
    return stream.getvalue()


def _to_opaque(image: Image.Image) -> Image.Image:
    """The picture as 8-bit gray or RGB, what is transparent laid on white."""
    if image.mode.startswith("I"):
        # 16 bits of gray; conversion would clip them instead of scaling.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")
