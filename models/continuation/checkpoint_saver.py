"""Leaves checkpoints while a training of clicks runs."""

import dataclasses
from typing import Any

import keras

from models.continuation.fit_checkpoints import FitCheckpoints
from models.continuation.fit_state import FitState
from models.training_curve import TrainingCurve


class CheckpointSaver(keras.callbacks.Callback):
    """Saves after every so many batches of a pass, and at the end of each pass but the last.

    The last of the callbacks, so that it keeps what the others have noted.

    Args:
        checkpoints: where.
        begun: where the training began, or goes on.
        curve: of this training.
        notes: what other callbacks note at the ends of passes.
        epochs: passes over the data in all.
    """

    def __init__(
        self,
        checkpoints: FitCheckpoints,
        begun: FitState,
        curve: TrainingCurve,
        notes: list[dict[str, Any]],
        epochs: int,
    ) -> None:
        super().__init__()
        self.checkpoints = checkpoints
        self.begun = begun
        self.curve = curve
        self.notes = notes
        self.epochs = epochs

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._epoch = epoch
        self._batch = self.begun.batch if epoch == self.begun.epoch else 0

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._batch += 1
        if self._batch % self.checkpoints.every_steps == 0:
            # Before the state is made, which holds the points of the curve.
            self.curve.end_point()
            tracker = self.model.metrics[0]
            total, count = (
                float(keras.ops.convert_to_numpy(value)) for value in (tracker.total, tracker.count)
            )
            self._save(FitState(self._epoch, self._batch, total, count))

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if epoch + 1 < self.epochs:
            self._save(FitState(epoch + 1))

    def _save(self, state: FitState) -> None:
        state = dataclasses.replace(state, curve=self.curve.points, notes=self.notes)
        self.checkpoints.save(self.model, state)
