"""Draws products: a category's silhouette in an item's shape, palette and pattern."""

import io

import numpy as np
from PIL import Image

from sources.marketplace.silhouettes import SILHOUETTES
from sources.marketplace.style import PALETTE, PATTERN, SHAPE, knobs
from sources.marketplace.views import Views

# Pictures drawn at once: their arrays stay in the processor's cache.
_BATCH = 32
_JPEG_QUALITY = 80
_PLAIN_WEAVE = 0.12
_SILHOUETTES = tuple(SILHOUETTES.values())


def render_jpegs(
    rng: np.random.Generator, categories: np.ndarray, styles: np.ndarray, views: Views, size: int
) -> list[bytes]:
    """Draws products and encodes them as JPEG.

    Args:
        rng: the source of the sensor's noise.
        categories: int `[n]`, indices into SILHOUETTES.
        styles: float32 `[n, STYLE_DIM]`.
        views: n views.
        size: side of the pictures in pixels.
    Returns:
        n JPEG files.
    """
    jpegs: list[bytes] = [b""] * len(categories)
    for category in np.unique(categories):
        rows = np.flatnonzero(categories == category)
        for start in range(0, len(rows), _BATCH):
            batch = rows[start : start + _BATCH]
            pictures = _render(rng, category, knobs(styles[batch]), views.select(batch), size)
            for row, picture in zip(batch, pictures, strict=True):
                jpegs[row] = _encode(picture)
    return jpegs


def _render(rng: np.random.Generator, category: int, knob: np.ndarray, views: Views, size: int) -> np.ndarray:
    """One batch of one category: uint8 `[n, size, size, 3]`."""
    picture_x, picture_y = _grid(size)
    x, y = _object_coordinates(picture_x, picture_y, views)
    body, trim = _SILHOUETTES[category](x, y, *_columns(knob[:, SHAPE]))
    pixel = 2.0 / size / _column(views.zoom)
    base, accent, trim_color = _colors(knob[:, PALETTE])
    ink = _pattern(x, y, knob[:, PATTERN])
    # Darker toward the outline, as if the product were round.
    shade = 0.72 + 0.28 * np.clip(body / np.float32(-0.16), 0, 1)
    body_cover, trim_cover = _coverage(body, pixel), _coverage(trim, pixel)
    soft_edge = np.clip(0.5 + 1.5 * (picture_y - 0.25 + _column(views.slope[:, 0]) * picture_x), 0, 1)
    light = 1 + _column(views.slope[:, 0]) * picture_x + _column(views.slope[:, 1]) * picture_y
    channels = []
    for channel in range(3):
        ground, floor = (_column(views.background[:, i, channel]) for i in range(2))
        layer = ground + (floor - ground) * soft_edge
        cloth = _column(base[:, channel]) + _column(accent[:, channel] - base[:, channel]) * ink
        layer = layer + (cloth * shade - layer) * body_cover
        layer = layer + (_column(trim_color[:, channel]) - layer) * trim_cover
        channels.append(layer * light * _column(views.light[:, channel]))
    pictures = np.stack(channels, axis=-1)
    if views.blur.any():
        pictures = _blur(pictures, views.blur)
    if views.noise.any():
        grain = rng.standard_normal(pictures.shape[:3], np.float32) * _column(views.noise)
        pictures = pictures + grain[..., None]
    return (np.clip(pictures, 0, 1) * 255 + 0.5).astype(np.uint8)


def _grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of the pixels' centers in [-1, 1], each `[1, size, size]`."""
    line = ((np.arange(size, dtype=np.float32) + 0.5) / size) * 2 - 1
    return np.broadcast_to(line, (1, size, size)), np.broadcast_to(line[:, None], (1, size, size))


def _object_coordinates(x: np.ndarray, y: np.ndarray, views: Views) -> tuple[np.ndarray, np.ndarray]:
    cosine, sine = _column(np.cos(views.angle) / views.zoom), _column(np.sin(views.angle) / views.zoom)
    x, y = x - _column(views.shift[:, 0]), y - _column(views.shift[:, 1])
    return cosine * x + sine * y, cosine * y - sine * x


def _coverage(distance: np.ndarray, pixel: np.ndarray) -> np.ndarray:
    return np.clip(0.5 - distance / pixel, 0, 1)


def _colors(knob: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Colors of cloth, pattern and trim, each `[n, 3]`.

    The hue stops short of a full turn, so that near knobs, and only they, mean near colors.
    """
    hue, saturation, value, turn = knob.T
    hue = 0.85 * hue
    accent_hue = hue + 0.2 + 0.4 * turn
    base = _hsv_to_rgb(hue, 0.3 + 0.65 * saturation, 0.4 + 0.45 * value)
    accent = _hsv_to_rgb(accent_hue, 0.1 + 0.4 * (1 - saturation), np.full_like(hue, 0.97))
    trim = _hsv_to_rgb(accent_hue, np.full_like(hue, 0.6), 0.25 + 0.25 * (1 - value))
    return base, accent, trim


def _hsv_to_rgb(hue: np.ndarray, saturation: np.ndarray, value: np.ndarray) -> np.ndarray:
    phase = (hue[:, None] * 6 + np.array([5, 3, 1], np.float32)) % 6
    return value[:, None] * (1 - saturation[:, None] * np.clip(np.minimum(phase, 4 - phase), 0, 1))


def pattern_weights(kind: np.ndarray) -> np.ndarray:
    """Shares of plain, stripes, checks and dots, `[n, 4]`: mostly one of them, with short cross-fades."""
    place = np.clip(4 * kind - 0.5, 0, 3)[:, None]
    return np.clip(0.5 + 4 * (0.5 - np.abs(place - np.arange(4, dtype=np.float32))), 0, 1)


def _pattern(x: np.ndarray, y: np.ndarray, knob: np.ndarray) -> np.ndarray:
    """How much of the accent color covers the cloth, `[n, size, size]` in [0, 1]."""
    kind, frequency, angle, width = knob.T
    turn = (angle - 0.5) * np.float32(0.9 * np.pi)
    waves = 2 * np.pi * 1.8 * (5.0 / 1.8) ** frequency
    cosine, sine = _column(np.cos(turn) * waves), _column(np.sin(turn) * waves)
    first, second = np.cos(cosine * x + sine * y), np.cos(cosine * y - sine * x)
    plain_share, stripes_share, checks_share, dots_share = _columns(pattern_weights(kind))
    # Plain cloth keeps a faint weave, so that no part of a style is invisible.
    stripes_share = stripes_share + _PLAIN_WEAVE * plain_share
    level = _column(0.5 - width)
    stripes, crossing = _ink(first + level), _ink(second + level)
    dots = _ink((first + second) * 0.7 - 0.35 + level)
    return (
        stripes * (stripes_share + 0.5 * checks_share) + crossing * (0.5 * checks_share) + dots * dots_share
    )


def _ink(wave: np.ndarray) -> np.ndarray:
    return np.clip(0.5 + 1.5 * wave, 0, 1)


def _blur(pictures: np.ndarray, amount: np.ndarray) -> np.ndarray:
    """Mixes `[n, size, size, 3]` with its mean over 5 by 5 pixels."""
    size = pictures.shape[1]
    padded = np.pad(pictures, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="edge")
    rows = np.add.reduce([padded[:, i : i + size] for i in range(5)])
    mean = np.add.reduce([rows[:, :, i : i + size] for i in range(5)]) / 25
    return pictures + (mean - pictures) * amount[:, None, None, None]


def _encode(picture: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()


def _column(values: np.ndarray) -> np.ndarray:
    return values[:, None, None].astype(np.float32)


def _columns(values: np.ndarray) -> list[np.ndarray]:
    return [_column(column) for column in values.T]
