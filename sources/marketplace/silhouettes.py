"""The outlines of the product categories as signed distance fields.

A silhouette takes object coordinates x, y (float32 `[n, height, width]`, y points down, the product fills
about [-0.75, 0.75]) and four shape knobs in [0, 1] (each `[n, 1, 1]`). It returns two distance fields,
negative inside: the body, which carries the pattern, and the trim (soles, handles, belts), painted over it.
"""

from collections.abc import Callable

import numpy as np

Array = np.ndarray
# Python floats keep the arrays float32.
Number = np.ndarray | float
Silhouette = Callable[[Array, Array, Array, Array, Array, Array], tuple[Array, Array]]


def _between(low: float, high: float, knob: Array) -> Array:
    return np.float32(low) + np.float32(high - low) * knob


def _box(x: Array, y: Array, half_width: Number, half_height: Number, radius: float = 0.0) -> Array:
    across = np.abs(x) - half_width + radius
    down = np.abs(y) - half_height + radius
    outside = np.hypot(np.maximum(across, 0), np.maximum(down, 0))
    return outside + np.minimum(np.maximum(across, down), 0) - radius


def _ellipse(x: Array, y: Array, half_width: Number, half_height: Number) -> Array:
    # Exact on the outline and right in sign; that is all that filling needs.
    return (np.hypot(x / half_width, y / half_height) - 1) * np.minimum(
        half_width, half_height, dtype=np.float32
    )


def _ring(x: Array, y: Array, half_width: Number, half_height: Number, thickness: float) -> Array:
    return np.abs(_ellipse(x, y, half_width, half_height)) - thickness


def _rod(x: Array, y: Array, start: tuple, end: tuple, radius: Number) -> Array:
    across, down = end[0] - start[0], end[1] - start[1]
    along = ((x - start[0]) * across + (y - start[1]) * down) / (across * across + down * down)
    along = np.clip(along, 0, 1)
    return np.hypot(x - start[0] - along * across, y - start[1] - along * down) - radius


def _taper(x: Array, y: Array, top: Number, bottom: Number, upper: Number, lower: Number) -> Array:
    """A trapezoid around x = 0 with the half widths `upper` at the top and `lower` at the bottom."""
    along = np.clip((y - top) / (bottom - top), 0, 1)
    return np.maximum(np.abs(x) - (upper + (lower - upper) * along), np.maximum(top - y, y - bottom))


def _cut(body: Array, hole: Array) -> Array:
    return np.maximum(body, -hole)


def _shirt(
    x: Array, y: Array, length: Array, sleeve: Array, neck: Array, width: Array
) -> tuple[Array, Array]:
    half = _between(0.26, 0.42, width)
    torso = _taper(x, y, -0.55, _between(0.3, 0.7, length), half, half)
    reach = _between(0.2, 0.75, sleeve)
    arm = _rod(np.abs(x), y, (half - 0.1, -0.42), (half + 0.1 + 0.3 * reach, -0.42 + reach), 0.13)
    depth = _between(0.08, 0.26, neck)
    hole = _ellipse(x, y + 0.56, 0.15, depth)
    body = _cut(np.minimum(torso, arm), hole)
    collar = np.maximum(np.maximum(hole - 0.05, -hole), torso)
    return body, collar


def _dress(x: Array, y: Array, length: Array, flare: Array, belt: Array, neck: Array) -> tuple[Array, Array]:
    bodice = _taper(x, y, -0.72, -0.1, 0.27, 0.17)
    skirt = _taper(x, y, -0.12, _between(0.2, 0.78, length), 0.17, _between(0.2, 0.66, flare))
    hole = _ellipse(x, y + 0.74, 0.17, _between(0.08, 0.32, neck))
    body = _cut(np.minimum(bodice, skirt), hole)
    return body, _box(x, y + 0.11, 0.18, _between(0.015, 0.07, belt))


def _trousers(
    x: Array, y: Array, length: Array, flare: Array, rise: Array, spread: Array
) -> tuple[Array, Array]:
    crotch = _between(-0.4, -0.1, rise)
    hem = _between(0.1, 0.75, length)
    hips = _taper(x, y, -0.7, crotch + 0.08, 0.27, 0.34)
    below = np.clip((y - crotch) / (hem - crotch), 0, 1)
    leg_center = 0.18 + _between(0.02, 0.25, spread) * below
    leg = _taper(np.abs(x) - leg_center, y, crotch, hem, 0.165, _between(0.08, 0.24, flare))
    return np.minimum(hips, leg), _box(x, y + 0.7, 0.28, 0.05)


def _boot(x: Array, y: Array, height: Array, width: Array, toe: Array, heel: Array) -> tuple[Array, Array]:
    half = _between(0.15, 0.27, width)
    top = _between(0.1, -0.75, height)
    shaft = _box(x + 0.2, y - (top + 0.45) / 2, half, (0.45 - top) / 2, 0.03)
    reach = _between(0.3, 0.7, toe)
    foot = np.maximum(
        _ellipse(x - (reach - 0.2 - half) / 2, y - 0.5, (reach + 0.2 + half) / 2, 0.28), y - 0.5
    )
    left = -0.2 - half
    sole = _box(x - (reach + left) / 2, y - 0.53, (reach - left) / 2, 0.04)
    lift = _between(0.03, 0.13, heel)
    block = _box(x - left - 0.13, y - 0.55 - lift, 0.13, lift)
    return np.minimum(shaft, foot), np.minimum(sole, block)


def _handbag(
    x: Array, y: Array, height: Array, width: Array, handle: Array, slant: Array
) -> tuple[Array, Array]:
    half = _between(0.4, 0.7, width)
    top = _between(0.2, -0.3, height)
    body = _taper(x, y, top, 0.65, half * _between(0.65, 1.0, slant), half)
    loop = _ring(x, y - top, half * 0.5, _between(0.2, 0.45, handle), 0.04)
    clasp = _box(x, y - top - 0.08, 0.08, 0.05, 0.02)
    return body, np.minimum(_cut(loop, body), clasp)


def _hat(x: Array, y: Array, height: Array, brim: Array, taper: Array, band: Array) -> tuple[Array, Array]:
    top = _between(0.0, -0.6, height)
    crown = _taper(x, y, top, 0.3, 0.36 * _between(0.55, 1.05, taper), 0.4) - 0.03
    rim = _ellipse(x, y - 0.33, _between(0.48, 0.8, brim), 0.12)
    thickness = _between(0.03, 0.1, band)
    ribbon = np.maximum(crown, np.abs(y - 0.23 + thickness) - thickness)
    return np.minimum(crown, rim), ribbon


def _mug(x: Array, y: Array, height: Array, width: Array, handle: Array, slant: Array) -> tuple[Array, Array]:
    half = _between(0.28, 0.48, width)
    tall = _between(0.32, 0.62, height)
    x = x + 0.15
    body = _taper(x, y, -tall, tall, half, half * _between(0.65, 1.0, slant)) - 0.03
    size = _between(0.14, 0.3, handle)
    loop = _ring(x - half, y, size, size * 1.1, 0.05)
    return body, _cut(loop, body)


def _lamp(x: Array, y: Array, height: Array, width: Array, top: Array, stem: Array) -> tuple[Array, Array]:
    lower = _between(0.35, 0.68, width)
    bottom = _between(-0.3, 0.15, height)
    shade = _taper(x, y, -0.7, bottom, lower * _between(0.3, 0.95, top), lower)
    foot = _between(0.4, 0.75, stem)
    rod = _box(x, y - (bottom + foot) / 2, 0.035, (foot - bottom) / 2)
    base = _ellipse(x, y - foot, 0.28, 0.07)
    return shade, np.minimum(rod, base)


def _vase(x: Array, y: Array, height: Array, bulge: Array, place: Array, neck: Array) -> tuple[Array, Array]:
    top = _between(-0.35, -0.75, height)
    along = np.clip((y - top) / (0.7 - top), 0, 1)
    offset = (along - _between(0.45, 0.75, place)) / 0.28
    belly = _between(0.1, 0.48, bulge) / (1 + offset * offset * offset * offset)
    half = _between(0.09, 0.22, neck) + belly
    body = np.maximum((np.abs(x) - half) * 0.7, np.maximum(top - y, y - 0.7))
    rim = _box(x, y - top, _between(0.13, 0.27, neck), 0.035)
    return body, rim


def _chair(x: Array, y: Array, height: Array, width: Array, seat: Array, splay: Array) -> tuple[Array, Array]:
    half = _between(0.3, 0.5, width)
    top = _between(-0.3, -0.78, height)
    back = _box(x, y - (top - 0.05) / 2, half * 0.9, (-0.05 - top) / 2, 0.08)
    thickness = _between(0.05, 0.14, seat)
    cushion = _box(x, y - 0.1, half * 1.15, thickness, 0.04)
    side = np.abs(x)
    foot = half * 0.95 + _between(-0.1, 0.22, splay)
    leg = _rod(side, y, (half * 0.95, 0.1 + thickness), (foot, 0.75), 0.04)
    return np.minimum(back, cushion), _cut(leg, cushion)


def _cushion(
    x: Array, y: Array, aspect: Array, pinch: Array, piping: Array, button: Array
) -> tuple[Array, Array]:
    half_height = _between(0.36, 0.68, aspect)
    bend = _between(-0.12, 0.16, pinch)
    # The sides bow in or out with the square of the way along the other side.
    across = np.abs(x) - 0.66 + bend * (1 - (y / half_height) ** 2)
    down = np.abs(y) - half_height + bend * (1 - (x / 0.66) ** 2)
    body = np.maximum(across, down)
    edge = np.maximum(body, -body - _between(0.02, 0.1, piping))
    knob = np.hypot(x, y) - _between(0.0, 0.14, button)
    return body, np.minimum(edge, knob)


def _umbrella(
    x: Array, y: Array, height: Array, width: Array, scallop: Array, hook: Array
) -> tuple[Array, Array]:
    half = _between(0.5, 0.78, width)
    tall = _between(0.35, 0.75, height)
    arc = np.abs(np.sin(x / half * np.float32(1.5 * np.pi)))
    canopy = np.maximum(_ellipse(x, y - 0.05, half, tall), y - 0.05 + _between(0.0, 0.2, scallop) * arc)
    shaft = _box(x, y - 0.3, 0.03, 0.32)
    size = _between(0.08, 0.2, hook)
    crook = np.maximum(_ring(x + size, y - 0.62, size, size, 0.035), 0.62 - y)
    return canopy, _cut(np.minimum(shaft, crook), canopy)


# The order is that of the category ids.
SILHOUETTES: dict[str, Silhouette] = {
    "shirt": _shirt,
    "dress": _dress,
    "trousers": _trousers,
    "boot": _boot,
    "handbag": _handbag,
    "hat": _hat,
    "mug": _mug,
    "lamp": _lamp,
    "vase": _vase,
    "chair": _chair,
    "cushion": _cushion,
    "umbrella": _umbrella,
}
