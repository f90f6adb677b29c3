"""How much a query and its positive have in common at first sight, judged without any model.

Pairs whose two sides are nearly the same, letter by letter or pixel by pixel, are found by anything; what an
encoder has learned shows in the others. So accuracy is reported for each kind of pair.
"""

import io
import re

import numpy as np
from PIL import Image

EASY, BETWEEN, HARD = "easy", "between", "hard"
DIFFICULTIES = (EASY, BETWEEN, HARD)

# Bits in which the hashes of two pictures may differ and still be nearly the same picture, and from how many on
# they are entirely different ones. Chosen by the shape of the distribution over 2,860 movies with two posters
# each. It has two humps. The first rises to its peak at 1 and 2 differing bits, is down to less than half of it
# from 5 to 6 and ends in a plain that reaches from about 9 to 23; up to 5 lie 45 % of the pairs. The second is
# that of unrelated pictures: of posters paired at random, with a mean of 32, 99.5 % differ in 16 bits or more.
# So do 40 % of the movies.
EASY_BITS, HARD_BITS = 5, 16

# In Chinese and Japanese, which write no spaces, every character counts as a word.
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")


def image_difficulty(query: bytes, positive: bytes) -> str:
    """Tells near-identical pictures (easy) and entirely different ones (hard) from those between.

    Args:
        query, positive: pictures that PIL reads.
    """
    bits = (difference_hash(query) ^ difference_hash(positive)).bit_count()
    if bits <= EASY_BITS:
        return EASY
    return HARD if bits >= HARD_BITS else BETWEEN


def text_difficulty(query: str, title: str) -> str:
    """Compares words, whatever their case: easy where every word of the query stands in the title, hard where
    none does (nor where the query has no word at all), between otherwise.
    """
    asked, offered = words(query), words(title)
    if not asked & offered:
        return HARD
    return EASY if asked <= offered else BETWEEN


def words(text: str) -> frozenset[str]:
    """The different words of a text: runs of letters and digits, case folded."""
    return frozenset(_WORD.findall(text.casefold()))


def difference_hash(picture: bytes) -> int:
    """A 64-bit hash that near-identical pictures share but for a few bits.

    The picture becomes 9 x 8 gray pixels, and each bit says whether a pixel is brighter than its left
    neighbor. Size, compression, brightness and small marks hardly change that.

    Args:
        picture: a file that PIL reads.
    Source: the "dHash" of N. Krawetz, "Kind of Like That", 2013.
    """
    with Image.open(io.BytesIO(picture)) as image:
        # A JPEG is decoded at the least size above this, many times faster than whole.
        image.draft("L", (72, 64))
        gray = image.convert("L").resize((9, 8), Image.Resampling.BILINEAR)
    pixels = np.asarray(gray)
    brighter = pixels[:, 1:] > pixels[:, :-1]  # [8, 8]
    return int.from_bytes(np.packbits(brighter).tobytes(), "big")
