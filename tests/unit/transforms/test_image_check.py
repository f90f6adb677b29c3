import io

import pytest
from PIL import Image
from small_logs import noise_picture, picture, png_bomb

from transforms.image_check import image_problem

MAX_BYTES, MAX_PIXELS = 1_000_000, 1_000_000


def problem(data: bytes) -> str | None:
    return image_problem(data, MAX_BYTES, MAX_PIXELS)


def animated() -> bytes:
    stream = io.BytesIO()
    frames = [Image.new("RGB", (8, 8), (shade, 0, 0)) for shade in (0, 100, 200)]
    frames[0].save(stream, "WEBP", save_all=True, append_images=frames[1:])
    return stream.getvalue()


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("size", [(1, 1), (7, 300), (64, 48)])
def test_good_pictures(image_format: str, size: tuple[int, int]) -> None:
    assert problem(picture(100, size, image_format)) is None


@pytest.mark.parametrize(
    ("image_format", "mode"),
    [
        ("JPEG", "CMYK"),
        ("JPEG", "L"),
        ("PNG", "RGBA"),
        ("PNG", "LA"),
        ("PNG", "1"),
        ("PNG", "I;16"),
        ("WEBP", "RGBA"),
    ],
)
def test_other_colors(image_format: str, mode: str) -> None:
    stream = io.BytesIO()
    Image.new(mode, (16, 16)).save(stream, image_format)
    assert problem(stream.getvalue()) is None


def test_an_animation_is_its_first_frame() -> None:
    assert problem(animated()) is None


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_truncated(image_format: str, share: float) -> None:
    data = noise_picture((64, 64), image_format)
    assert problem(data[: int(len(data) * share)]) == "unreadable_image"


def test_broken_within() -> None:
    data = bytearray(noise_picture((64, 64), "PNG"))
    middle = len(data) // 2
    data[middle : middle + 50] = bytes(50)
    assert problem(bytes(data)) == "unreadable_image"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"no picture at all",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"RIFF\0\0\0\0WEBPVP8 ",
        b"<svg/>",
    ],
)
def test_no_picture(data: bytes) -> None:
    assert problem(data) == "unreadable_image"


@pytest.mark.parametrize("image_format", ["GIF", "BMP", "TIFF"])
def test_formats_beyond_the_contract(image_format: str) -> None:
    assert problem(picture(0, (8, 8), image_format)) == "unreadable_image"


@pytest.mark.parametrize("size", [(1001, 1000), (30_000, 30_000), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_is_refused_by_its_header(size: tuple[int, int]) -> None:
    data = png_bomb(*size)
    assert len(data) < 200
    assert problem(data) == "oversized_image"


def test_bounds_are_inclusive() -> None:
    data = picture(0, (10, 10))
    assert image_problem(data, len(data), 100) is None
    assert image_problem(data, len(data) - 1, 100) == "oversized_image"
    assert image_problem(data, len(data), 99) == "oversized_image"


def test_too_many_bytes_are_not_looked_at() -> None:
    assert image_problem(b"x" * 101, 100, 100) == "oversized_image"
