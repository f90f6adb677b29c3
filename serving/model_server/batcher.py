"""Requests of several callers in one run of a model."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import grpc
import numpy as np
from tensorflow.core.protobuf import meta_graph_pb2

from serving.model_server.batching_parameters import BatchingParameters
from serving.model_server.model_version import Servable
from serving.model_server.saved_model import Arrays
from serving.model_server.serving_error import ServingError, invalid

Run = Callable[[list[Arrays]], list[list[np.ndarray]]]


class Batcher:
    """A model whose requests wait a little for others, and run together.

    Requests share a batch if they feed and fetch the same tensors, of the same shapes but for the first dimension.
    An error of a batch is the error of all its requests, as in TF Serving.

    Args:
        servable: the model.
        scheduler: forms and runs the batches; models may share one.
        parameters: how large batches are; the scheduler's threads are its own.
    """

    def __init__(
        self, servable: Servable, scheduler: "BatchScheduler", parameters: BatchingParameters
    ) -> None:
        self.servable = servable
        self.scheduler = scheduler
        self.parameters = parameters

    @property
    def signatures(self) -> Mapping[str, meta_graph_pb2.SignatureDef]:
        """The model's."""
        return self.servable.signatures

    def run(self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str]) -> list[np.ndarray]:
        """As `SavedModel.run`, with the rows of others; returns when the batch is done.

        Raises:
            ServingError: INVALID_ARGUMENT, if the inputs do not have a common number of rows, or too many;
                UNAVAILABLE, if too many batches wait.
        """
        size = _rows(feeds)
        if size > self.parameters.max_batch_size:
            raise invalid(
                f"Task size {size} is larger than maximum input batch size {self.parameters.max_batch_size}"
            )
        shapes = tuple((name, array.shape[1:], array.dtype.str) for name, array in feeds.items())
        key = (id(self), shapes, tuple(fetches))
        done = self.scheduler.submit(key, dict(feeds), size, self.parameters, self._runner(tuple(fetches)))
        return done.result()

    def close(self) -> None:
        """Frees the model; no request may be waiting."""
        self.servable.close()

    def _runner(self, fetches: tuple[str, ...]) -> Run:
        return lambda tasks: self._run_batch(tasks, fetches)

    def _run_batch(self, tasks: list[Arrays], fetches: tuple[str, ...]) -> list[list[np.ndarray]]:
        sizes = [_rows(feeds) for feeds in tasks]
        padding = _padding(sum(sizes), self.parameters.allowed_batch_sizes)
        merged = {name: _merge([feeds[name] for feeds in tasks], padding) for name in tasks[0]}
        outputs = self.servable.run(merged, fetches)
        for name, output in zip(fetches, outputs, strict=True):
            if output.ndim == 0 or len(output) != sum(sizes) + padding:
                raise ServingError(
                    grpc.StatusCode.FAILED_PRECONDITION,
                    f"Batched output tensor {name} of shape {output.shape} does not have the "
                    f"{sum(sizes) + padding} rows of the batch",
                )
        ends = np.cumsum(sizes)
        return [
            [output[end - size : end] for output in outputs] for size, end in zip(sizes, ends, strict=True)
        ]


@dataclass
class _Batch:
    due: float
    size: int = 0
    tasks: list[Arrays] = field(default_factory=list)
    futures: list[Future] = field(default_factory=list)


@dataclass
class _Queue:
    run: Run
    max_size: int
    batches: deque[_Batch] = field(default_factory=deque)

    def is_ready(self, now: float) -> bool:
        """Whether the first batch is full, or has waited long enough."""
        return len(self.batches) > 1 or self.batches[0].size >= self.max_size or self.batches[0].due <= now


class BatchScheduler:
    """Forms batches, and runs them on threads of its own.

    Args:
        num_threads: int > 0. Batches that run at once.
    """

    def __init__(self, num_threads: int) -> None:
        self._changed = threading.Condition()
        self._queues: dict[object, _Queue] = {}
        self._is_stopping = False
        self._threads = [
            threading.Thread(target=self._work, name=f"batch_{number}", daemon=True)
            for number in range(num_threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(
        self, key: object, feeds: Arrays, size: int, parameters: BatchingParameters, run: Run
    ) -> "Future[list[np.ndarray]]":
        """Puts a task into the batch that is open for its key, or into a new one.

        Args:
            key: tasks of one key may share a batch.
            feeds: what the task feeds.
            size: its rows.
            parameters: how large and how many batches may be.
            run: runs a batch's tasks.
        Returns:
            Of the task's outputs.
        Raises:
            ServingError: UNAVAILABLE, if too many batches wait.
        """
        done: Future[list[np.ndarray]] = Future()
        with self._changed:
            queue = self._queues.setdefault(key, _Queue(run, parameters.max_batch_size))
            batches = queue.batches
            if not batches or batches[-1].size + size > parameters.max_batch_size:
                if len(batches) >= parameters.max_enqueued_batches:
                    raise ServingError(
                        grpc.StatusCode.UNAVAILABLE,
                        "The batch scheduling queue to which this task was submitted is full",
                    )
                batches.append(_Batch(time.monotonic() + parameters.batch_timeout_micros / 1e6))
            batches[-1].size += size
            batches[-1].tasks.append(feeds)
            batches[-1].futures.append(done)
            self._changed.notify()
        return done

    def stop(self) -> None:
        """Runs what waits, and ends the threads."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while True:
            taken = self._take()
            if taken is None:
                return
            run, batch = taken
            try:
                results = run(batch.tasks)
            except Exception as error:  # noqa: BLE001 (whoever waits has to be told, whatever it is)
                for future in batch.futures:
                    future.set_exception(error)
            else:
                for future, outputs in zip(batch.futures, results, strict=True):
                    future.set_result(outputs)

    def _take(self) -> tuple[Run, _Batch] | None:
        """The next batch that is ready; None when the scheduler has stopped and nothing waits."""
        with self._changed:
            while True:
                now = time.monotonic()
                for key, queue in self._queues.items():
                    if self._is_stopping or queue.is_ready(now):
                        batch = queue.batches.popleft()
                        # A queue that goes to the end lets the others have their turn.
                        del self._queues[key]
                        if queue.batches:
                            self._queues[key] = queue
                        return queue.run, batch
                if self._is_stopping:
                    return None
                dues = [queue.batches[0].due for queue in self._queues.values()]
                self._changed.wait(max(0.0, min(dues) - now) if dues else None)


def _rows(feeds: Mapping[str, np.ndarray]) -> int:
    """The common first dimension."""
    if not feeds:
        raise invalid("Batching Run() must have at least one input tensor")
    if any(array.ndim == 0 for array in feeds.values()):
        raise invalid("Batching Run() input tensors must have at least one dimension")
    sizes = {len(array) for array in feeds.values()}
    if len(sizes) > 1:
        raise invalid("Batching Run() input tensors must have equal 0th-dimension size")
    return sizes.pop()


def _padding(size: int, allowed: Sequence[int]) -> int:
    """Rows that are missing to the next allowed size."""
    return next((limit - size for limit in allowed if limit >= size), 0) if size else 0


def _merge(arrays: list[np.ndarray], padding: int) -> np.ndarray:
    """All rows, and as padding the first row once more, which the model surely takes."""
    merged = np.concatenate(arrays) if len(arrays) > 1 else arrays[0]
    return np.concatenate([merged, np.repeat(merged[:1], padding, axis=0)]) if padding else merged
