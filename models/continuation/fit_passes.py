"""The passes over the data that a training of clicks has before it."""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from models.continuation.fit_state import FitState

# Gives a data set without its first so many batches.
Skip = Callable[[int], tf.data.Dataset]


@dataclass(frozen=True)
class FitPasses:
    """Passes over the same batches.

    Attributes:
        epochs: their numbers.
        batches: of each.
        first_batch: batches of the pass that are behind, and not in `batches`.
    """

    epochs: range
    batches: tf.data.Dataset
    first_batch: int = 0

    @classmethod
    def to_come(
        cls, dataset: tf.data.Dataset, epochs: int, state: FitState, skip: Skip | None
    ) -> "list[FitPasses]":
        """The passes from a state on: what is left of the one that it is in, and those behind that.

        Args:
            dataset: of a whole pass.
            epochs: how many there are in all.
            state: how far the training has come.
            skip: leaves out a pass's first batches without the work of making them, where all passes are the same;
                None: they are made and thrown away.
        """
        if skip is None:
            # The order of shuffling follows from how many passes have begun.
            for _ in range(state.epoch):
                iter(dataset)
        if not state.batch:
            return [cls(range(state.epoch, epochs), dataset)]
        rest = dataset.skip(state.batch) if skip is None else skip(state.batch)
        after = state.epoch + 1
        return [cls(range(state.epoch, after), rest, state.batch), cls(range(after, epochs), dataset)]
