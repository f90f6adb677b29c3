"""Records the training curve and stops a training that diverges."""

import math
import sys
import time
from collections.abc import Sequence

import keras

from transforms.input_error import InputError


class TrainingCurve(keras.callbacks.Callback):
    """Records the loss over the steps, shows progress on stderr and stops when the loss is not finite.

    Args:
        every_steps: int > 0. Steps between two points of the curve.
        show_seconds: seconds between two lines of progress.
        points: of a training that this one goes on from.
    Attributes:
        points: [{"step", "examples", "loss", "seconds"}, …]; a point's loss is the mean over the examples
            since the point before, and its seconds run from the beginning of the training.
    Raises:
        InputError: at the first step whose loss is not finite.
    """

    def __init__(
        self,
        every_steps: int = 20,
        show_seconds: float = 5.0,
        points: Sequence[dict[str, float]] = (),
    ) -> None:
        super().__init__()
        self.every_steps = every_steps
        self.show_seconds = show_seconds
        self.points = list(points)
        last = self.points[-1] if self.points else {"step": 0, "examples": 0, "seconds": 0.0}
        self.examples = int(last["examples"])
        self._step = int(last["step"])

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._shown = time.perf_counter()
        self._started = self._shown - (self.points[-1]["seconds"] if self.points else 0.0)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        # Nothing, unless a training goes on in the midst of an epoch.
        self._epoch_total, self._epoch_count = self._read_loss()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._step += 1
        loss = float((logs or {})["loss"])
        if not math.isfinite(loss):
            raise InputError(
                f"the loss must stay finite, got {loss} at step {self._step}; "
                "try smaller learning rates, or look for infinite numbers in the input"
            )
        if self._step % self.every_steps == 0:
            self._add_point()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.end_point()

    def end_point(self) -> None:
        """Ends a point here, unless one ends here anyway."""
        if self._step != (self.points[-1]["step"] if self.points else 0):
            self._add_point()

    def _read_loss(self) -> tuple[float, int]:
        """The sum of the losses since the epoch began, over so many examples."""
        # Keras's mean of the loss, weighted by examples; read as a sum over replicas.
        tracker = self.model.metrics[0]
        total, count = (float(keras.ops.convert_to_numpy(value)) for value in (tracker.total, tracker.count))
        return total, int(count)

    def _add_point(self) -> None:
        total, count = self._read_loss()
        examples = count - self._epoch_count
        self.examples += examples
        point = {
            "step": self._step,
            "examples": self.examples,
            "loss": (total - self._epoch_total) / examples,
            "seconds": time.perf_counter() - self._started,
        }
        self._epoch_total, self._epoch_count = total, count
        self.points.append(point)
        self._show(point)

    def _show(self, point: dict[str, float]) -> None:
        now = time.perf_counter()
        if now - self._shown < self.show_seconds:
            return
        self._shown = now
        speed = point["examples"] / point["seconds"]
        print(
            f"step {point['step']:,}, {point['examples']:,} examples, loss {point['loss']:.4f}, "
            f"{speed:,.0f} examples a second",
            file=sys.stderr,
            flush=True,
        )
