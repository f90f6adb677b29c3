"""Style vectors: what a product looks like, beyond its category.

A style is a unit vector of three blocks (shape, palette, pattern) of four dimensions, every block of the same
length, so that the similarity of two styles is the mean of their blocks' cosines. A knob is what the renderer
and the titles read: each style dimension mapped to [0, 1].
"""

import numpy as np

BLOCKS = ("shape", "palette", "pattern")
BLOCK_DIM = 4
STYLE_DIM = BLOCK_DIM * len(BLOCKS)
SHAPE, PALETTE, PATTERN = (slice(i * BLOCK_DIM, (i + 1) * BLOCK_DIM) for i in range(len(BLOCKS)))

# A coordinate of a uniform point on the unit sphere of n dimensions has the variance 1 / n; multiplying a
# similarity with this makes the match of two random styles a variable of unit variance.
MATCH_SCALE = STYLE_DIM**0.5


def normalize_blocks(vectors: np.ndarray) -> np.ndarray:
    """Scales each block of `[..., STYLE_DIM]` to the same length, the whole to length 1."""
    blocks = vectors.reshape(*vectors.shape[:-1], len(BLOCKS), BLOCK_DIM)
    lengths = np.linalg.norm(blocks, axis=-1, keepdims=True) * len(BLOCKS) ** 0.5
    return (blocks / lengths).reshape(vectors.shape).astype(np.float32)


def random_styles(rng: np.random.Generator, count: int) -> np.ndarray:
    """Uniform styles, float32 `[count, STYLE_DIM]`."""
    return normalize_blocks(rng.standard_normal((count, STYLE_DIM)))


def knobs(styles: np.ndarray) -> np.ndarray:
    """Maps styles `[..., STYLE_DIM]` to knobs in [0, 1], each uniform over uniform styles.

    A coordinate of a uniform point on the sphere in four dimensions has the semicircle density; this is its
    distribution function.
    """
    x = np.clip(styles * len(BLOCKS) ** 0.5, -1.0, 1.0).astype(np.float32)
    return 0.5 + (x * np.sqrt(1.0 - x * x) + np.arcsin(x)) / np.float32(np.pi)
