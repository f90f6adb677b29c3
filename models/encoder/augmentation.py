"""Random changes of training pictures."""

import contextlib
import sys

import tensorflow as tf

# It says on standard output which backend it uses, where a program may expect a result.
with contextlib.redirect_stdout(sys.stderr):
    import keras_cv

RANGE = (0.0, 255.0)


class Augmentation:
    """Turns, zooms, shifts and lights pictures at random, as photos of the same thing differ.

    Args:
        strength: in (0, 1]; 1 for turns of up to 30 degrees, zooms and shifts of up to 20 %, brightness and
            contrast of up to 40 % and hues of up to 10 %.
        seed: of the random changes.
    """

    def __init__(self, strength: float, seed: int) -> None:
        layers = keras_cv.layers
        shift = (-0.2 * strength, 0.2 * strength)
        self.layers = [
            layers.RandomRotation(strength / 12, fill_mode="nearest", seed=seed),
            layers.RandomZoom(shift, shift, fill_mode="nearest", seed=seed + 1),
            layers.RandomTranslation(shift, shift, fill_mode="nearest", seed=seed + 2),
            layers.RandomBrightness(0.4 * strength, value_range=RANGE, seed=seed + 3),
            layers.RandomContrast(RANGE, 0.4 * strength, seed=seed + 4),
            layers.RandomHue(0.1 * strength, RANGE, seed=seed + 5),
        ]

    def __call__(self, pixels: tf.Tensor) -> tf.Tensor:
        """Changes each picture on its own: float32 `[batch, height, width, 3]` from 0 to 255, as before."""
        for layer in self.layers:
            pixels = layer(pixels, training=True)
        return tf.clip_by_value(pixels, *RANGE)
