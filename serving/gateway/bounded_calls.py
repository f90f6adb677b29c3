"""Calls of a store that may hang, within a time limit."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from serving.gateway.circuit import Circuit
from serving.gateway.deadline import Deadline
from serving.gateway.errors import PartUnavailable
from serving.gateway.sound_entries import CORRUPT

Answer = TypeVar("Answer")


class BoundedCalls:
    """Runs calls of one part in threads of its own, so that who waits for them can give up.

    Args:
        name: of the part, for messages.
        failures: what the part raises when it does not work; other errors are the caller's.
        threads: calls at once; further ones wait.
        timeout_seconds: of a call, waiting included, at most.
        outage_seconds: how long the part is not asked after several calls in a row that failed.
    """

    def __init__(
        self,
        name: str,
        failures: tuple[type[Exception], ...],
        threads: int,
        timeout_seconds: float,
        outage_seconds: float,
    ) -> None:
        self.name = name
        self.failures = failures
        self.timeout_seconds = timeout_seconds
        self._circuit = Circuit(name, outage_seconds)
        self._executor = ThreadPoolExecutor(threads, name.replace(" ", "-"))

    def start(self, call: Callable[[], Answer]) -> "BoundedCall[Answer]":
        """Begins a call.

        Raises:
            PartUnavailable: the part did not answer just now.
        """
        begun = self._circuit.check()
        return BoundedCall(self, self._executor.submit(call), self._circuit, begun)

    def run(self, call: Callable[[], Answer], deadline: Deadline | None = None) -> Answer:
        """Begins a call and waits for its end.

        Raises:
            PartUnavailable: the part does not work, or not in time.
        """
        return self.start(call).wait(deadline)

    def close(self) -> None:
        """Ends the threads, once what runs has returned."""
        self._executor.shutdown(wait=False, cancel_futures=True)


class BoundedCall(Generic[Answer]):
    """A call that has begun; see `BoundedCalls.start`."""

    def __init__(self, calls: BoundedCalls, future: Future[Answer], circuit: Circuit, begun: float) -> None:
        self._calls, self._future, self._circuit, self._begun = calls, future, circuit, begun

    def wait(self, deadline: Deadline | None = None) -> Answer:
        """What the call returns.

        Raises:
            PartUnavailable: the part does not work, or not in time.
        """
        calls = self._calls
        timeout = calls.timeout_seconds if deadline is None else deadline.limit(calls.timeout_seconds)
        try:
            answer = self._future.result(timeout)
        except TimeoutError as error:
            self._future.cancel()
            self._circuit.failed(self._begun)
            raise PartUnavailable(f"{calls.name}: no answer within {timeout:.3g} s") from error
        except CORRUPT as error:
            self._circuit.worked()
            raise PartUnavailable(f"{calls.name}: {error}") from error
        except calls.failures as error:
            self._circuit.failed(self._begun)
            raise PartUnavailable(f"{calls.name}: {error}") from error
        except Exception:
            self._circuit.worked()
            raise
        self._circuit.worked()
        return answer
