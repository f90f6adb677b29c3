"""Pictures as they really come: turned, in other colors, animated, damaged, much too large.

Those that can be read show the same scene, six squares of 16 pixels in two rows of three, so that what a
decoder made of one is seen at the squares' centers; the squares lie on a JPEG's blocks, which keeps them flat.
"""

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

# Rows, columns, RGB.
SCENE = np.array(
    [
        [[200, 40, 40], [40, 160, 60], [30, 60, 190]],
        [[240, 240, 240], [20, 20, 20], [220, 200, 50]],
    ],
    dtype=np.uint8,
)
GRAY_SCENE = np.array([[10, 60, 110], [160, 210, 250]], dtype=np.uint8)
SQUARE = 16

IMAGE, UNREADABLE, OVERSIZED = "image", "unreadable_image", "oversized_image"
_ORIENTATION = 0x0112


def odd_images() -> dict[str, tuple[bytes, str]]:
    """By name a picture's bytes, and "image" or the reason for which LogIngest's defaults reject it."""
    good = {name: (data, IMAGE) for name, (data, _) in good_images().items()}
    return good | bad_images()


def good_images() -> dict[str, tuple[bytes, np.ndarray]]:
    """By name a readable picture's bytes and the colors it shows, uint8 `[2, 3, 3]` (`[1, 1, 3]` of one pixel)."""
    still, gray = scene(), squares(GRAY_SCENE)
    # Of six squares two are clear, two half clear; on white the latter are (127 * 255 + 128 * color) / 255.
    alphas = np.array([[0, 255, 128], [255, 128, 0]], dtype=np.uint8)
    weights = alphas[..., None] / 255
    clear = still.copy()
    clear.putalpha(squares(alphas))
    clear_gray = gray.copy()
    clear_gray.putalpha(squares(alphas))
    on_white = np.round(SCENE * weights + 255 * (1 - weights)).astype(np.uint8)
    gray_on_white = np.round(to_rgb(GRAY_SCENE) * weights + 255 * (1 - weights)).astype(np.uint8)
    first_is_white = SCENE.copy()
    first_is_white[0, 0] = 255
    others = [squares(SCENE[::-1]), squares(SCENE[:, ::-1])]
    pixel = SCENE[:1, :1]
    return {
        "plain JPEG": (encode(still, "JPEG"), SCENE),
        "progressive JPEG": (encode(still, "JPEG", progressive=True), SCENE),
        "gray JPEG": (encode(gray, "JPEG"), to_rgb(GRAY_SCENE)),
        "plain PNG": (encode(still, "PNG"), SCENE),
        "gray PNG": (encode(gray, "PNG"), to_rgb(GRAY_SCENE)),
        "plain WebP": (encode(still, "WEBP"), SCENE),
        "lossless WebP": (encode(still, "WEBP", lossless=True), SCENE),
        "turned JPEG": (turned("JPEG", 6), SCENE),
        "turned PNG": (turned("PNG", 8), SCENE),
        "turned WebP": (turned("WEBP", 3), SCENE),
        "CMYK JPEG": (encode(still.convert("CMYK"), "JPEG"), SCENE),
        "RGB JPEG": (encode(still, "JPEG", keep_rgb=True), SCENE),
        "lossless JPEG": (_lossless_jpeg(), np.full((1, 1, 3), 128, np.uint8)),
        "several JPEGs in one file": (encode(still, "MPO", save_all=True, append_images=others), SCENE),
        "JPEG with broken EXIF": (encode(still, "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff"), SCENE),
        "16-bit gray PNG": (encode(_deep_gray(), "PNG"), to_rgb(GRAY_SCENE)),
        "16-bit color PNG": (_deep_png(), SCENE),
        "palette PNG": (encode(still.quantize(6), "PNG"), SCENE),
        "palette PNG with a clear color": (_palette_png(), first_is_white),
        "PNG with a clear color": (encode(still, "PNG", transparency=(200, 40, 40)), first_is_white),
        "PNG with alpha": (encode(clear, "PNG"), on_white),
        "gray PNG with alpha": (encode(clear_gray, "PNG"), gray_on_white),
        "WebP with alpha": (encode(clear, "WEBP", lossless=True), on_white),
        "black and white PNG": (
            encode(squares(GRAY_SCENE).convert("1", dither=0), "PNG"),
            _black_and_white(),
        ),
        "animated WebP": (encode(still, "WEBP", save_all=True, append_images=others, lossless=True), SCENE),
        "animated PNG": (encode(still, "PNG", save_all=True, append_images=others), SCENE),
        "PNG without an end": (encode(still, "PNG")[:-12], SCENE),
        "PNG with a wrong checksum": (_flip_last_checksum(encode(still, "PNG")), SCENE),
        "one-pixel JPEG": (encode(Image.fromarray(pixel), "JPEG", subsampling=0), pixel),
        "one-pixel PNG": (encode(Image.fromarray(pixel), "PNG"), pixel),
        "one-pixel WebP": (encode(Image.fromarray(pixel), "WEBP", lossless=True), pixel),
        "photo.jpg, a PNG by its bytes": (encode(still, "PNG"), SCENE),
    }


def bad_images() -> dict[str, tuple[bytes, str]]:
    """By name a picture's bytes and the reason for which LogIngest's defaults reject it."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    cut = {name: encode(noise, name) for name in ("JPEG", "PNG", "WEBP")}
    return {
        **{f"truncated {name}": (data[: len(data) // 2], UNREADABLE) for name, data in cut.items()},
        **{f"another format, {name}": (encode(scene(), name), UNREADABLE) for name in ("GIF", "BMP", "TIFF")},
        "JPEG without an end": (encode(scene(), "JPEG")[:-2], UNREADABLE),
        "empty": (b"", UNREADABLE),
        "one byte": (b"\xff", UNREADABLE),
        "a page": (b"<html>not found</html>", UNREADABLE),
        "a PNG's signature alone": (b"\x89PNG\r\n\x1a\n", UNREADABLE),
        "PNG without width": (png_file(0, 5, bytes(100)), UNREADABLE),
        "decompression bomb": (png_bomb(60_000, 60_000), OVERSIZED),
        "the largest header": (png_bomb(2**31 - 1, 2**31 - 1), OVERSIZED),
        "a side that libpng refuses": (encode(Image.new("L", (2_000_000, 1)), "PNG"), OVERSIZED),
        "too many bytes": (encode(scene(), "JPEG") + bytes(20_000_000), OVERSIZED),
    }


def squares(colors: np.ndarray) -> Image.Image:
    """A square of 16 by 16 pixels for each color."""
    return Image.fromarray(np.kron(colors, np.ones((SQUARE, SQUARE, *[1] * (colors.ndim - 2)), colors.dtype)))


def scene() -> Image.Image:
    """The scene, 48 wide and 32 high."""
    return squares(SCENE)


def encode(image: Image.Image, image_format: str, **options: Any) -> bytes:
    """The picture as a file of the format."""
    stream = io.BytesIO()
    image.save(stream, image_format, **options)
    return stream.getvalue()


# What a camera that was held so stores of the scene: the inverse of what its EXIF orientation asks for.
STORED = {
    1: lambda pixels: pixels,
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, 1),
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: lambda pixels: np.rot90(pixels, -1),
}


def turned(image_format: str, orientation: int) -> bytes:
    """The scene as a camera held otherwise stores it, with the EXIF orientation that says so."""
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    stored = squares(np.ascontiguousarray(STORED[orientation](SCENE)))
    return encode(stored, image_format, exif=exif)


def to_rgb(gray: np.ndarray) -> np.ndarray:
    """Gray values as equal red, green and blue."""
    return np.repeat(gray[..., None], 3, axis=-1)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG's chunk with its length and checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_file(width: int, height: int, pixels: bytes, bits: int = 8) -> bytes:
    """A PNG in color; `pixels` are its rows, each after a byte for its filter."""
    header = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(pixels)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


def png_bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header promises a huge picture."""
    return png_file(width, height, bytes(1000))


def _deep_gray() -> Image.Image:
    # The high byte is the gray; the low byte must not matter.
    return squares(GRAY_SCENE.astype(np.uint16) * 256 + 77)


def _deep_png() -> bytes:
    pixels = np.asarray(scene()).astype(">u2") * 256 + 99
    rows = [b"\0" + row.astype(">u2").tobytes() for row in pixels]
    return png_file(48, 32, b"".join(rows), bits=16)


def _palette_png() -> bytes:
    image = squares(np.arange(6, dtype=np.uint8).reshape(2, 3))
    image.putpalette(SCENE.tobytes())
    return encode(image, "PNG", transparency=0)


def _black_and_white() -> np.ndarray:
    # 128 and more is white.
    return to_rgb(np.array([[0, 0, 0], [255, 255, 255]], dtype=np.uint8))


def _flip_last_checksum(png: bytes) -> bytes:
    """Spoils the checksum of the last chunk with pixels; the 12 bytes of the end follow it."""
    return png[:-13] + bytes([png[-13] ^ 1]) + png[-12:]


def _lossless_jpeg() -> bytes:
    """A lossless frame of 8 by 8 pixels, all 128: each differs by nothing from what is predicted, one bit 0."""

    def segment(marker: int, data: bytes) -> bytes:
        return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data

    code = b"\0" + bytes([1] + [0] * 15) + b"\0"  # One code of one bit: no difference.
    frame = struct.pack(">BHHB", 8, 8, 8, 1) + b"\1\x11\0"
    scan = b"\1\1\0" + b"\1\0\0"  # Predicted from the left.
    return (
        b"\xff\xd8"
        + segment(0xC4, code)
        + segment(0xC3, frame)
        + segment(0xDA, scan)
        + bytes(8)
        + b"\xff\xd9"
    )
