"""Requests that run together: who shares a batch, how it is filled up, and who gets what."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
import pytest

from serving.model_server.batcher import Batcher, BatchScheduler
from serving.model_server.batching_parameters import BatchingParameters
from serving.model_server.serving_error import ServingError, invalid

LONG = 10_000_000


class Model:
    """Doubles `x:0`, and notes each batch; waits while it is held."""

    signatures: Mapping[str, Any] = {}

    def __init__(self) -> None:
        self.batches: list[list] = []
        self.may_run = threading.Event()
        self.may_run.set()
        self.is_closed = False

    def run(self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str]) -> list[np.ndarray]:
        self.batches.append(feeds["x:0"].tolist())
        assert self.may_run.wait(10)
        if -1 in self.batches[-1]:
            raise invalid("negative")
        if "total:0" in fetches:
            return [feeds["x:0"].sum()]
        return [2 * feeds["x:0"]]

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def scheduler() -> Iterator[BatchScheduler]:
    scheduler = BatchScheduler(1)
    yield scheduler
    scheduler.stop()


def run_all(batcher: Batcher, *inputs: Any, fetch: str = "y:0") -> list[Any]:
    """Runs each input on a thread of its own, in this order. Returns outputs or errors."""

    def run(values: Any) -> Any:
        try:
            return batcher.run({"x:0": np.array(values)}, [fetch])[0].tolist()
        except ServingError as error:
            return error

    with ThreadPoolExecutor(len(inputs)) as pool:
        futures = []
        for values in inputs:
            futures.append(pool.submit(run, values))
            time.sleep(0.02)
        return [future.result(10) for future in futures]


def test_requests_share_a_batch_that_is_full(scheduler: BatchScheduler) -> None:
    model = Model()
    batcher = Batcher(model, scheduler, BatchingParameters(max_batch_size=4, batch_timeout_micros=LONG))
    assert run_all(batcher, [1], [2, 3], [4]) == [[2], [4, 6], [8]]
    assert model.batches == [[1, 2, 3, 4]]


def test_a_batch_that_is_not_full_runs_after_the_timeout(scheduler: BatchScheduler) -> None:
    model = Model()
    batcher = Batcher(model, scheduler, BatchingParameters(max_batch_size=4, batch_timeout_micros=200_000))
    started = time.monotonic()
    assert run_all(batcher, [1], [2]) == [[2], [4]]
    assert model.batches == [[1, 2]]
    assert 0.2 <= time.monotonic() - started < 5


def test_a_request_that_does_not_fit_closes_the_batch(scheduler: BatchScheduler) -> None:
    model = Model()
    batcher = Batcher(model, scheduler, BatchingParameters(max_batch_size=3, batch_timeout_micros=300_000))
    assert run_all(batcher, [1, 2], [3, 4]) == [[2, 4], [6, 8]]
    assert model.batches == [[1, 2], [3, 4]]


def test_batches_are_filled_up_to_an_allowed_size(scheduler: BatchScheduler) -> None:
    model = Model()
    parameters = BatchingParameters(max_batch_size=4, batch_timeout_micros=0, allowed_batch_sizes=(2, 4))
    batcher = Batcher(model, scheduler, parameters)
    assert run_all(batcher, [5]) == [[10]]
    assert run_all(batcher, [6, 7]) == [[12, 14]]
    assert run_all(batcher, [1, 2, 3]) == [[2, 4, 6]]
    assert model.batches == [[5, 5], [6, 7], [1, 2, 3, 1]]


def test_other_shapes_go_into_other_batches(scheduler: BatchScheduler) -> None:
    model = Model()
    batcher = Batcher(model, scheduler, BatchingParameters(max_batch_size=4, batch_timeout_micros=200_000))
    assert run_all(batcher, [[1, 2]], [[1]], [[3, 4]]) == [[[2, 4]], [[2]], [[6, 8]]]
    assert sorted(model.batches, key=len) == [[[1]], [[1, 2], [3, 4]]]


def test_models_share_threads_but_no_batches(scheduler: BatchScheduler) -> None:
    models = [Model(), Model()]
    parameters = BatchingParameters(max_batch_size=2, batch_timeout_micros=100_000)
    for model in models:
        assert run_all(Batcher(model, scheduler, parameters), [1]) == [[2]]
    assert [model.batches for model in models] == [[[1]], [[1]]]


def test_an_error_is_that_of_the_whole_batch(scheduler: BatchScheduler) -> None:
    batcher = Batcher(Model(), scheduler, BatchingParameters(max_batch_size=2, batch_timeout_micros=LONG))
    for result in run_all(batcher, [-1], [1]):
        assert isinstance(result, ServingError) and result.message == "negative"
    assert run_all(batcher, [1], [2]) == [[2], [4]]


def test_a_full_queue_refuses(scheduler: BatchScheduler) -> None:
    model = Model()
    model.may_run.clear()
    parameters = BatchingParameters(max_batch_size=1, batch_timeout_micros=0, max_enqueued_batches=2)
    batcher = Batcher(model, scheduler, parameters)
    with ThreadPoolExecutor(3) as pool:
        # One runs and two wait.
        futures = []
        for number in range(3):
            futures.append(pool.submit(batcher.run, {"x:0": np.array([number])}, ["y:0"]))
            time.sleep(0.05)
        with pytest.raises(ServingError, match="queue to which this task was submitted is full") as raised:
            batcher.run({"x:0": np.array([9])}, ["y:0"])
        assert raised.value.code == grpc.StatusCode.UNAVAILABLE
        model.may_run.set()
        assert [future.result(10)[0].tolist() for future in futures] == [[0], [2], [4]]


@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        ({}, "at least one input tensor"),
        ({"x:0": np.array(1)}, "at least one dimension"),
        ({"x:0": np.zeros(2), "z:0": np.zeros(3)}, "equal 0th-dimension size"),
        ({"x:0": np.zeros(5)}, "Task size 5 is larger than maximum input batch size 4"),
    ],
)
def test_what_cannot_be_batched(
    scheduler: BatchScheduler, feeds: dict[str, np.ndarray], message: str
) -> None:
    batcher = Batcher(Model(), scheduler, BatchingParameters(max_batch_size=4))
    with pytest.raises(ServingError, match=message) as raised:
        batcher.run(feeds, ["y:0"])
    assert raised.value.code == grpc.StatusCode.INVALID_ARGUMENT


def test_outputs_have_to_have_the_rows_of_the_batch(scheduler: BatchScheduler) -> None:
    batcher = Batcher(Model(), scheduler, BatchingParameters(max_batch_size=4))
    (error,) = run_all(batcher, [1, 2], fetch="total:0")
    assert error.code == grpc.StatusCode.FAILED_PRECONDITION and "does not have the 2 rows" in error.message


def test_no_rows(scheduler: BatchScheduler) -> None:
    parameters = BatchingParameters(max_batch_size=2, allowed_batch_sizes=(2,))
    assert run_all(Batcher(Model(), scheduler, parameters), []) == [[]]


def test_queues_go_away_with_their_batches(scheduler: BatchScheduler) -> None:
    batcher = Batcher(Model(), scheduler, BatchingParameters())
    for length in range(20):
        run_all(batcher, [[1] * length])
    assert not scheduler._queues


def test_many_callers(scheduler: BatchScheduler) -> None:
    batcher = Batcher(Model(), scheduler, BatchingParameters(max_batch_size=16, batch_timeout_micros=1_000))

    def ask(number: int) -> bool:
        values = [number, number + 1][: 1 + number % 2]
        return batcher.run({"x:0": np.array(values)}, ["y:0"])[0].tolist() == [2 * value for value in values]

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(ask, range(1_000)))


def test_stopping_runs_what_waits() -> None:
    scheduler = BatchScheduler(1)
    model = Model()
    batcher = Batcher(model, scheduler, BatchingParameters(max_batch_size=4, batch_timeout_micros=LONG))
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(batcher.run, {"x:0": np.array([1])}, ["y:0"])
        time.sleep(0.05)
        scheduler.stop()
        assert future.result(10)[0].tolist() == [2]
    batcher.close()
    assert model.is_closed
