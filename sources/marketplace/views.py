"""How a picture is taken: in the shop's studio or by a shopper."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Views:
    """Cameras, light and surroundings of n pictures, all float32.

    Attributes:
        zoom: `[n]`, larger fills more of the picture.
        angle: `[n]`, radians.
        shift: `[n, 2]`, right and down, in half pictures.
        light: `[n, 3]`, gain of red, green and blue.
        slope: `[n, 2]`, change of the light from the center to the right and to the bottom.
        background: `[n, 2, 3]`, colors of two grounds that meet in a soft edge.
        blur: `[n]`, 0 is sharp, 1 is a mean over 5 by 5 pixels.
        noise: `[n]`, standard deviation of the sensor's noise.
    """

    zoom: np.ndarray
    angle: np.ndarray
    shift: np.ndarray
    light: np.ndarray
    slope: np.ndarray
    background: np.ndarray
    blur: np.ndarray
    noise: np.ndarray

    def select(self, rows: np.ndarray) -> "Views":
        return Views(**{name: values[rows] for name, values in vars(self).items()})


def studio_views(rng: np.random.Generator, count: int) -> Views:
    """A catalog picture: centered on a light ground, evenly lit, sharp."""
    return Views(
        zoom=_uniform(rng, 1.05, 1.15, count),
        angle=_uniform(rng, -0.04, 0.04, count),
        shift=_uniform(rng, -0.03, 0.03, count, 2),
        light=np.ones((count, 3), np.float32),
        slope=np.full((count, 2), -0.06, np.float32),
        background=np.repeat(_uniform(rng, 0.93, 0.98, count, 1, 1), 3, axis=2).repeat(2, axis=1),
        blur=np.zeros(count, np.float32),
        noise=np.zeros(count, np.float32),
    )


def photo_views(rng: np.random.Generator, count: int) -> Views:
    """A shopper's photo: tilted and cropped, in some light before some ground, blurred, noisy."""
    return Views(
        zoom=_uniform(rng, 0.85, 1.4, count),
        angle=_uniform(rng, -0.35, 0.35, count),
        shift=_uniform(rng, -0.2, 0.2, count, 2),
        light=_uniform(rng, 0.7, 1.15, count, 1) * _uniform(rng, 0.9, 1.1, count, 3),
        slope=_uniform(rng, -0.2, 0.2, count, 2),
        background=_uniform(rng, 0.35, 0.9, count, 2, 1) + _uniform(rng, -0.15, 0.15, count, 2, 3),
        blur=_uniform(rng, 0.0, 0.9, count),
        noise=_uniform(rng, 0.0, 0.03, count),
    )


def _uniform(rng: np.random.Generator, low: float, high: float, *shape: int) -> np.ndarray:
    return rng.uniform(low, high, shape).astype(np.float32)
