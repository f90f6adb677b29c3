"""How pairs are told apart: pictures made by hand, words, and the two posters of real movies."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from transforms.pair_difficulty import difference_hash, image_difficulty, text_difficulty


def picture(pixels: list[list[int]], form: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.array(pixels, np.uint8), "L").save(stream, form)
    return stream.getvalue()


# 9 columns, each brighter than the one left of it; and the same, mirrored.
RISING = [[10 * column for column in range(9)]] * 8
FALLING = [row[::-1] for row in RISING]


def with_falls(count: int) -> list[list[int]]:
    """The rising picture with `count` of its 64 steps downwards, none of which turns another."""
    rows = [list(row) for row in RISING]
    for fall in range(count):
        row, column = divmod(fall, 4)
        # At column 2c + 1 the value drops below its left neighbor: it rises again right after.
        rows[row][2 * column + 1] = 20 * column - 1 if column else 0
        rows[row][0] = 1
    return rows


def test_a_bit_for_each_pixel_brighter_than_its_left_neighbor() -> None:
    assert difference_hash(picture(RISING)) == 2**64 - 1
    assert difference_hash(picture(FALLING)) == 0
    # Brighter only in the last column of the last row: the last bit.
    flat = [[50] * 9 for _ in range(8)]
    flat[7][8] = 51
    assert difference_hash(picture(flat)) == 1
    # In the first step of the first row: the first bit.
    flat = [[50] * 9 for _ in range(8)]
    flat[0][0] = 49
    assert difference_hash(picture(flat)) == 2**63


@pytest.mark.parametrize(
    ("bits", "expected"),
    [(0, "easy"), (5, "easy"), (6, "between"), (15, "between"), (16, "hard"), (32, "hard")],
)
def test_difficulty_by_differing_bits(bits: int, expected: str) -> None:
    other = picture(with_falls(bits))
    assert (difference_hash(other) ^ (2**64 - 1)).bit_count() == bits
    assert image_difficulty(picture(RISING), other) == expected
    assert image_difficulty(other, picture(RISING)) == expected


def test_size_format_and_brightness_do_not_matter() -> None:
    generator = np.random.default_rng(0)
    coarse = Image.fromarray(generator.integers(0, 200, (8, 9, 3), np.uint8), "RGB")
    files = []
    for size, form, gain in [((900, 800), "JPEG", 1.0), ((180, 160), "PNG", 1.2), ((450, 400), "WEBP", 0.8)]:
        stream = io.BytesIO()
        coarse.resize(size, Image.Resampling.BICUBIC).point(lambda value, gain=gain: value * gain).save(
            stream, form
        )
        files.append(stream.getvalue())
    assert {image_difficulty(files[0], other) for other in files} == {"easy"}
    turned = io.BytesIO()
    coarse.rotate(180).save(turned, "PNG")
    assert image_difficulty(files[0], turned.getvalue()) == "hard"


@pytest.mark.parametrize(
    ("query", "title", "expected"),
    [
        ("red shoes", "Shoes, RED (leather)", "easy"),
        ("red red", "a red dress", "easy"),
        ("red boots", "Red shoes", "between"),
        ("footwear", "Red shoes", "hard"),
        ("shoe", "Red shoes", "hard"),  # part of a word is another word
        ("straße", "STRASSE in Berlin", "easy"),  # case folded
        ("snow_man", "a man in the snow", "easy"),
        ("???", "what???", "hard"),
        ("", "what", "hard"),
        ("красное платье", "Платье вечернее", "between"),
        ("红裙", "红色的裙子", "easy"),  # each character a word
        ("红鞋", "红色的裙子", "between"),
        ("v2霍比特", "霍比特人 V2", "easy"),
    ],
)
def test_words(query: str, title: str, expected: str) -> None:
    assert text_difficulty(query, title) == expected


def test_posters_of_real_movies(movielens_dir: Path) -> None:
    """Of the movies with two posters 45 % have near-identical ones and 39 % entirely different art."""
    names = sorted(path.name for path in (movielens_dir / "posters_alt").iterdir())
    both = [name for name in names if (movielens_dir / "posters" / name).exists()]
    found = [
        image_difficulty(
            (movielens_dir / "posters" / name).read_bytes(),
            (movielens_dir / "posters_alt" / name).read_bytes(),
        )
        for name in both
    ]
    assert len(found) == 2860
    assert found.count("easy") / len(found) == pytest.approx(0.45, abs=0.02)
    assert found.count("hard") / len(found) == pytest.approx(0.39, abs=0.02)
