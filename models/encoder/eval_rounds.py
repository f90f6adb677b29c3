"""Looks at the eval split between rounds of training, and leaves a checkpoint."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from models.distribution.hear_chief import hear_chief
from models.distribution.strategy import is_chief
from models.encoder.checkpoints import Checkpoints
from models.training_curve import TrainingCurve

MONITORED = "acc@1"


class EvalRounds(keras.callbacks.Callback):
    """After each round (an epoch of `fit`) measures, saves, and ends the training when it gets no better.

    Args:
        measure: gives "acc@1" and others; without "acc@1" the training never ends early.
        checkpoints: where to save to.
        curve: whose points are saved along.
        patience: rounds without a better Acc@1 after which the training ends.
        evaluations: of a training that this one goes on from.
        strategy: of the training; its chief measures and saves, and the other workers hear what it found.
    Attributes:
        evaluations: [{"step", "acc@1", "acc@5"}, …].
    """

    def __init__(
        self,
        measure: Callable[[], dict[str, Any]],
        checkpoints: Checkpoints,
        curve: TrainingCurve,
        patience: int,
        evaluations: list[dict[str, Any]],
        strategy: tf.distribute.Strategy,
    ) -> None:
        super().__init__()
        self.measure = measure
        self.checkpoints = checkpoints
        self.curve = curve
        self.patience = patience
        self.evaluations = list(evaluations)
        self.strategy = strategy

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        is_writer = is_chief(self.strategy)
        measured = hear_chief(self.measure() if is_writer else None, self.strategy)
        step = int(self.model.optimizer.iterations.numpy())
        is_best = MONITORED in measured and measured[MONITORED] > self._best()
        if MONITORED in measured:
            names = ("acc@1", "acc@5")
            self.evaluations.append({"step": step, **{name: measured[name] for name in names}})
        ended = self._rounds_since_best() >= self.patience
        if is_writer:
            self.checkpoints.save(
                self.model,
                {
                    "step": step,
                    "round": epoch + 1,
                    "ended": ended,
                    "curve": self.curve.points,
                    "evaluations": self.evaluations,
                },
                is_best,
            )
        if ended:
            self.model.stop_training = True

    def _best(self) -> float:
        return max((entry[MONITORED] for entry in self.evaluations), default=-1.0)

    def _rounds_since_best(self) -> int:
        if not self.evaluations:
            return 0
        values = [entry[MONITORED] for entry in self.evaluations]
        return len(values) - 1 - values.index(max(values))
