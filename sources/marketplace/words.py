"""Titles and queries: words for what a style looks like, with synonyms and noise."""

import numpy as np

from sources.marketplace.renderer import pattern_weights
from sources.marketplace.silhouettes import SILHOUETTES
from sources.marketplace.style import PALETTE, PATTERN, SHAPE, knobs

Synonyms = tuple[str, ...]

_CATEGORIES: dict[str, Synonyms] = {
    "shirt": ("shirt", "tee", "top", "pullover"),
    "dress": ("dress", "gown", "frock"),
    "trousers": ("trousers", "pants", "slacks"),
    "boot": ("boot", "boots", "shoe"),
    "handbag": ("handbag", "bag", "purse", "tote"),
    "hat": ("hat", "fedora", "headwear"),
    "mug": ("mug", "cup", "beaker"),
    "lamp": ("lamp", "table lamp", "light"),
    "vase": ("vase", "urn", "flower jar"),
    "chair": ("chair", "seat", "dining chair"),
    "cushion": ("cushion", "pillow", "throw pillow"),
    "umbrella": ("umbrella", "brolly", "parasol"),
}

# For each of the category's shape knobs: words for a low and for a high value.
_SHAPES: dict[str, tuple[tuple[Synonyms, Synonyms], ...]] = {
    "shirt": (
        (("cropped", "short"), ("long", "longline")),
        (("short sleeve", "half sleeve"), ("long sleeve", "full sleeve")),
        (("crew neck", "round neck"), ("low neck", "scoop neck")),
        (("slim", "fitted"), ("loose", "oversized")),
    ),
    "dress": (
        (("mini", "short"), ("maxi", "long")),
        (("sheath", "straight"), ("flared", "swing")),
        (("thin belt", "narrow belt"), ("wide belt", "broad belt")),
        (("high neck", "closed neck"), ("deep neck", "plunging")),
    ),
    "trousers": (
        (("cropped", "short"), ("full length", "long")),
        (("tapered", "skinny"), ("flared", "wide leg")),
        (("low crotch", "high seat"), ("deep rise", "roomy")),
        (("straight", "narrow"), ("spread", "bow leg")),
    ),
    "boot": (
        (("ankle", "low"), ("knee high", "tall")),
        (("slim shaft", "narrow"), ("wide shaft", "broad")),
        (("round toe", "short toe"), ("pointed", "long toe")),
        (("flat", "low heel"), ("high heel", "heeled")),
    ),
    "handbag": (
        (("shallow", "clutch"), ("deep", "tall")),
        (("small", "compact"), ("large", "wide")),
        (("short handle", "top handle"), ("long handle", "high handle")),
        (("trapezoid", "slanted"), ("boxy", "square")),
    ),
    "hat": (
        (("low crown", "flat"), ("high crown", "tall")),
        (("narrow brim", "short brim"), ("wide brim", "broad brim")),
        (("tapered", "cone"), ("straight", "cylinder")),
        (("thin band", "narrow ribbon"), ("wide band", "broad ribbon")),
    ),
    "mug": (
        (("low", "short"), ("tall", "high")),
        (("slim", "narrow"), ("wide", "jumbo")),
        (("small handle", "little handle"), ("large handle", "big handle")),
        (("tapered", "conical"), ("straight", "cylinder")),
    ),
    "lamp": (
        (("short shade", "shallow shade"), ("deep shade", "tall shade")),
        (("narrow", "small"), ("wide", "large")),
        (("cone shade", "pointed"), ("drum shade", "straight")),
        (("short stem", "low"), ("long stem", "high")),
    ),
    "vase": (
        (("low", "short"), ("tall", "high")),
        (("slender", "slim"), ("bulbous", "round")),
        (("high belly", "shouldered"), ("low belly", "pear shaped")),
        (("narrow neck", "bottle neck"), ("wide neck", "open neck")),
    ),
    "chair": (
        (("low back", "short back"), ("high back", "tall back")),
        (("narrow", "slim"), ("wide", "broad")),
        (("thin seat", "hard seat"), ("padded", "thick seat")),
        (("straight leg", "upright"), ("splayed leg", "angled leg")),
    ),
    "cushion": (
        (("lumbar", "oblong"), ("square", "large")),
        (("rounded", "plump"), ("pinched", "concave")),
        (("thin piping", "fine edge"), ("thick piping", "bold edge")),
        (("no button", "smooth"), ("buttoned", "tufted")),
    ),
    "umbrella": (
        (("flat", "shallow"), ("dome", "deep")),
        (("compact", "small"), ("large", "golf")),
        (("smooth edge", "even edge"), ("scalloped", "wavy edge")),
        (("small hook", "short handle"), ("large hook", "crook handle")),
    ),
}

# By hue, from red to pink, each an equal part of the hues that the renderer uses.
_COLORS: tuple[Synonyms, ...] = (
    ("red", "crimson", "scarlet"),
    ("orange", "rust", "tan"),
    ("yellow", "olive", "mustard"),
    ("green", "emerald", "lime"),
    ("teal", "turquoise", "aqua"),
    ("sky blue", "azure", "steel blue"),
    ("blue", "navy", "royal blue"),
    ("violet", "purple", "lavender"),
    ("magenta", "pink", "fuchsia"),
)
_SATURATIONS = (("muted", "dusty", "grayish"), ("vivid", "bright", "rich"))
_VALUES = (("dark", "deep"), ("light", "pale"))
_PATTERNS: tuple[Synonyms, ...] = (
    ("plain", "solid", "unicolor"),
    ("striped", "stripes", "pinstripe"),
    ("checked", "plaid", "gingham"),
    ("dotted", "polka dot", "spotted"),
)
_FREQUENCIES = (("bold", "large print"), ("fine", "small print"))
_WIDTHS = (("dense", "heavy pattern"), ("sparse", "airy pattern"))
_NOISE: Synonyms = (
    *("new arrival", "hot sale", "free shipping", "2024", "gift idea", "best seller", "official store"),
    *("quality", "limited", "fashion", "classic", "premium", "daily deal", "trend", "original", "everyday"),
)


def write_titles(rng: np.random.Generator, categories: np.ndarray, styles: np.ndarray) -> list[str]:
    """A seller's titles: most that can be said of the style in any order, among words that say nothing."""
    titles = []
    for category, knob in zip(categories, knobs(styles), strict=True):
        words = _some(rng, _describe(category, knob), 0.8)
        words += [_any(rng, _NOISE) for _ in range(rng.integers(1, 4))]
        rng.shuffle(words)
        # Sellers end with what the thing is.
        titles.append(" ".join([*words, _any(rng, _category_words(category))]))
    return titles


def write_queries(rng: np.random.Generator, categories: np.ndarray, styles: np.ndarray) -> list[str]:
    """A shopper's queries: a few words for the style and one for the category."""
    queries = []
    for category, knob in zip(categories, knobs(styles), strict=True):
        words = _some(rng, _describe(category, knob), 0.5)
        rng.shuffle(words)
        queries.append(" ".join([*words, _any(rng, _category_words(category))]))
    return queries


def _category_words(category: int) -> Synonyms:
    return _CATEGORIES[tuple(SILHOUETTES)[category]]


def _describe(category: int, knob: np.ndarray) -> list[Synonyms]:
    """Everything that words can say of a style, each with its synonyms."""
    hue, saturation, value, _ = knob[PALETTE]
    kind, frequency, angle, width = knob[PATTERN]
    pattern = int(pattern_weights(np.array([kind], np.float32))[0].argmax())
    said = [_COLORS[min(int(hue * len(_COLORS)), len(_COLORS) - 1)], _PATTERNS[pattern]]
    said += _extreme(saturation, _SATURATIONS) + _extreme(value, _VALUES)
    for shape_knob, pair in zip(knob[SHAPE], _SHAPES[tuple(SILHOUETTES)[category]], strict=True):
        said += _extreme(shape_knob, pair)
    if pattern > 0:
        said += _extreme(frequency, _FREQUENCIES) + _extreme(width, _WIDTHS)
        said.append(_direction(angle))
    return said


def _extreme(knob: float, pair: tuple[Synonyms, Synonyms]) -> list[Synonyms]:
    """Words for the lowest and the highest third; nobody mentions what is usual."""
    if knob < 1 / 3:
        return [pair[0]]
    return [pair[1]] if knob > 2 / 3 else []


def _direction(angle: float) -> Synonyms:
    if abs(angle - 0.5) < 0.2:
        return ("upright", "straight line")
    return ("diagonal", "slanting") if abs(angle - 0.5) < 0.38 else ("horizontal", "crosswise")


def _any(rng: np.random.Generator, synonyms: Synonyms) -> str:
    return synonyms[rng.integers(len(synonyms))]


def _some(rng: np.random.Generator, said: list[Synonyms], chance: float) -> list[str]:
    return [_any(rng, synonyms) for synonyms in said if rng.random() < chance]
