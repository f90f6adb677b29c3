"""Threads for what blocks, so many and no more."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from serving.gateway.http.http_error import HttpError, overloaded

Parameters = ParamSpec("Parameters")
Answer = TypeVar("Answer")


class WorkPool:
    """Runs calls that block in threads, within a bound of calls and of time.

    A call whose time is over is given up: its caller goes on, and if it has begun, its thread is busy until
    it returns, and counts until then.

    Args:
        name: of its threads.
        max_running: calls at once.
        max_waiting: calls that wait for a thread.
        deadline_seconds: of a call, waiting included.
    Attributes:
        held: calls that run or wait now.
    """

    def __init__(self, name: str, max_running: int, max_waiting: int, deadline_seconds: float) -> None:
        self.max_running = max_running
        self.max_waiting = max_waiting
        self.deadline_seconds = deadline_seconds
        self._executor = ThreadPoolExecutor(max_running, name)
        self.held = 0

    async def run(
        self, call: Callable[Parameters, Answer], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Answer:
        """What the call returns or raises.

        Raises:
            HttpError: 503 where too many wait, 504 where the time is over.
        """
        if self.held >= self.max_running + self.max_waiting:
            raise overloaded(f"expected at most {self.held} requests at once; try again")
        loop = asyncio.get_running_loop()
        self.held += 1
        future = self._executor.submit(call, *args, **kwargs)
        future.add_done_callback(lambda _: _tell(loop, self._release))
        answer = asyncio.wrap_future(future)
        done, _ = await asyncio.wait([answer], timeout=self.deadline_seconds)
        if not done:
            answer.cancel()
            raise HttpError(504, f"expected an answer within {self.deadline_seconds:g} s")
        return answer.result()

    def close(self) -> None:
        """Ends the threads, once what runs has returned."""
        self._executor.shutdown(cancel_futures=True)

    def _release(self) -> None:
        self.held -= 1


def _tell(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    """Calls in the loop's thread, unless the loop has ended meanwhile."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(call)
