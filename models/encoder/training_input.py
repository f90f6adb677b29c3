"""What a contrastive training reads."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from models.distribution.batch_parts import share_out
from models.input_pipeline import BATCHES_AT_ONCE, without_autotune

Batch = dict[str, tf.Tensor]


class TrainingInput(NamedTuple):
    """Batches without end, from any step on.

    Attributes:
        stored: gives the batches as they are stored from a step on, without decoding those before it.
        prepare: in the graph, makes of any rows of a stored batch what the model takes.
    """

    stored: Callable[[int], tf.data.Dataset]
    prepare: Callable[[Batch], Batch]

    def dataset(self, first_step: int = 0) -> tf.data.Dataset:
        """Prepared batches from a step on."""
        prepared = self.stored(first_step).map(self.prepare, num_parallel_calls=BATCHES_AT_ONCE)
        return without_autotune(prepared.prefetch(BATCHES_AT_ONCE))

    def share_out(
        self, first_step: int, strategy: tf.distribute.Strategy
    ) -> tf.distribute.DistributedDataset:
        """The same for the replicas of a strategy, each of which prepares its part."""
        return share_out(self.stored(first_step), strategy, self.prepare)
