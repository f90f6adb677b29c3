import io
from collections.abc import Iterator

import numpy as np
import pytest
import tensorflow as tf
from odd_images import (
    OVERSIZED,
    SCENE,
    SQUARE,
    UNREADABLE,
    bad_images,
    encode,
    good_images,
    png_bomb,
    scene,
    turned,
)
from PIL import Image
from small_logs import noise_picture, picture

from transforms.canonical_image import canonical_image

MAX_BYTES, MAX_PIXELS = 20_000_000, 50_000_000
GOOD = good_images()
# What two lossy encodings change of a flat square at most; any two colors of the scene are far further apart.
LOSS = 8
# These stay as they are; all others are encoded anew.
KEPT = {
    "plain JPEG",
    "progressive JPEG",
    "gray JPEG",
    "RGB JPEG",
    "several JPEGs in one file",
    "JPEG with broken EXIF",
    "plain PNG",
    "gray PNG",
    "16-bit color PNG",
    "plain WebP",
    "lossless WebP",
    "one-pixel JPEG",
    "one-pixel PNG",
    "one-pixel WebP",
    "photo.jpg, a PNG by its bytes",
}


def canonical(data: bytes) -> bytes:
    found, problem = canonical_image(data, MAX_BYTES, MAX_PIXELS)
    assert problem is None
    return found


def problem_of(data: bytes, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS) -> str | None:
    found, problem = canonical_image(data, max_bytes, max_pixels)
    if problem:
        assert found is data  # A reject is kept as it came.
    return problem


def decode(data: bytes) -> np.ndarray:
    """What a model sees."""
    return tf.io.decode_image(data, channels=3, expand_animations=False).numpy()


def centers(pixels: np.ndarray) -> np.ndarray:
    """The colors in the middle of the squares of 16 pixels; of a smaller picture that of its last pixel."""
    inside = pixels[SQUARE // 2 :: SQUARE, SQUARE // 2 :: SQUARE]
    return inside if inside.size else pixels[-1:, -1:]


@pytest.mark.parametrize("name", GOOD)
def test_a_model_sees_what_the_picture_shows(name: str) -> None:
    data, colors = GOOD[name]
    seen = centers(decode(canonical(data))).astype(int)
    assert seen.shape == colors.shape
    assert np.abs(seen - colors).max() <= LOSS


@pytest.mark.parametrize("name", GOOD)
def test_only_plain_pictures_are_kept_byte_for_byte(name: str) -> None:
    data, _ = GOOD[name]
    found = canonical(data)
    assert (found == data) == (name in KEPT)
    # Once canonical, always so.
    assert canonical(found) == found


@pytest.mark.parametrize("name", sorted(set(GOOD) - KEPT))
def test_an_encoded_picture_is_plain(name: str) -> None:
    data, _ = GOOD[name]
    with Image.open(io.BytesIO(data)) as before, Image.open(io.BytesIO(canonical(data))) as after:
        assert after.format == ("PNG" if before.format == "PNG" else "JPEG")
        assert after.mode in ("L", "RGB")
        assert not after.getexif()
        assert getattr(after, "n_frames", 1) == 1
        assert "transparency" not in after.info
        assert "icc_profile" not in after.info


@pytest.mark.parametrize("name", bad_images())
def test_bad_pictures(name: str) -> None:
    data, reason = bad_images()[name]
    assert problem_of(data) == reason


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(2, 9))
def test_every_orientation(image_format: str, orientation: int) -> None:
    pixels = decode(canonical(turned(image_format, orientation)))
    assert pixels.shape == (32, 48, 3)
    assert np.abs(centers(pixels).astype(int) - SCENE).max() <= LOSS


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", [0, 1, 9])
def test_an_orientation_that_turns_nothing(image_format: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(scene(), image_format, exif=exif)
    assert canonical(data) == data


def test_exif_behind_the_pixels_of_a_png() -> None:
    data = turned("PNG", 3)
    start = data.index(b"eXIf") - 4
    # Length, name, data and checksum.
    end = start + 12 + int.from_bytes(data[start : start + 4])
    moved = data[:start] + data[end:-12] + data[start:end] + data[-12:]
    assert len(moved) == len(data)
    assert np.array_equal(centers(decode(canonical(moved))), SCENE)


def test_metadata_are_dropped() -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "where I live"
    for image_format in ("JPEG", "PNG", "WEBP"):
        data = encode(scene(), image_format, exif=exif, icc_profile=b"a profile")
        assert b"where I live" in data
        found = canonical(data)
        assert b"where I live" not in found
        assert b"a profile" not in found


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_truncated(image_format: str, share: float) -> None:
    data = noise_picture((64, 64), image_format)
    assert problem_of(data[: int(len(data) * share)]) == UNREADABLE


def test_broken_within() -> None:
    data = bytearray(noise_picture((64, 64), "PNG"))
    middle = len(data) // 2
    data[middle : middle + 50] = bytes(50)
    assert problem_of(bytes(data)) == UNREADABLE


def test_a_turned_picture_must_be_whole_too() -> None:
    data = turned("JPEG", 6)
    assert problem_of(data[: len(data) - 60]) == UNREADABLE


@pytest.mark.parametrize("size", [(1001, 1000), (30_000, 30_000), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_is_refused_by_its_header(size: tuple[int, int]) -> None:
    data = png_bomb(*size)
    assert len(data) < 200
    assert problem_of(data, max_pixels=1_000_000) == OVERSIZED


def test_bounds_are_inclusive() -> None:
    data = picture(0, (10, 10))
    assert problem_of(data, len(data), 100) is None
    assert problem_of(data, len(data) - 1, 100) == OVERSIZED
    assert problem_of(data, len(data), 99) == OVERSIZED


def test_too_many_bytes_are_not_looked_at() -> None:
    assert problem_of(b"x" * 101, 100, 100) == OVERSIZED


def spoilt(data: bytes, generator: np.random.Generator, times: int) -> Iterator[bytes]:
    """The file cut off, or with up to 20 bytes replaced; half of the damage near its end."""
    for number in range(times):
        last = len(data) if number % 2 else min(len(data), 40)
        place = len(data) - 1 - int(generator.integers(last))
        if generator.integers(4) == 0:
            yield data[:place]
        else:
            junk = generator.bytes(int(generator.integers(1, 21)))
            yield data[:place] + junk + data[place + len(junk) :]


@pytest.mark.parametrize("name", ["plain JPEG", "progressive JPEG", "turned JPEG", "CMYK JPEG", "plain PNG"])
def test_whatever_passes_is_decoded(name: str) -> None:
    usable = 0
    for data in spoilt(GOOD[name][0], np.random.default_rng(1), 400):
        found, problem = canonical_image(data, MAX_BYTES, 100_000)
        assert problem in (None, UNREADABLE, OVERSIZED)
        if problem is None:
            usable += 1
            with Image.open(io.BytesIO(data)) as image:
                assert decode(found).size == 3 * image.width * image.height
    assert usable > 20


@pytest.mark.parametrize("name", ["plain WebP", "lossless WebP", "WebP with alpha", "animated WebP"])
def test_whatever_webp_passes_is_decoded(name: str) -> None:
    for data in spoilt(GOOD[name][0], np.random.default_rng(2), 200):
        found, problem = canonical_image(data, MAX_BYTES, 100_000)
        if problem is None:
            decode(found)
