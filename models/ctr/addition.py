"""What an integration adds to the model of IDs."""

from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf


@dataclass(frozen=True)
class Addition:
    """What an integration adds to the model of IDs.

    Attributes:
        target: float `[batch, ...]` each, beside the candidate's ids in DIN.
        behaviors: float `[batch or 1, length, ...]` each, beside the behaviors' ids in DIN, as wide as `target`.
        pairs: float `[batch, length]` each, what is known of a candidate and a behavior together.
        candidate: float `[batch, ...]` each, inputs of the MLP.
    """

    target: Sequence[tf.Tensor] = ()
    behaviors: Sequence[tf.Tensor] = ()
    pairs: Sequence[tf.Tensor] = ()
    candidate: Sequence[tf.Tensor] = ()
