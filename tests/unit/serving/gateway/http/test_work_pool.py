"""Threads for what blocks."""

import asyncio
import threading

import pytest

from serving.gateway.http.http_error import HttpError
from serving.gateway.http.work_pool import WorkPool


def test_it_answers_in_a_thread_of_its_own() -> None:
    pool = WorkPool("answers", 1, 1, 5)

    def name(suffix: str, end: str = "") -> str:
        return threading.current_thread().name + suffix + end

    assert asyncio.run(pool.run(name, "!", end="?")) == "answers_0!?"
    pool.close()


def test_an_error_is_the_callers() -> None:
    pool = WorkPool("answers", 1, 1, 5)
    for error in (KeyError("a"), TimeoutError("own")):

        def fail(error: Exception = error) -> None:
            raise error

        with pytest.raises(type(error)):
            asyncio.run(pool.run(fail))
    pool.close()


def test_a_call_that_is_given_up_holds_its_place_until_it_returns() -> None:
    pool, go = WorkPool("answers", 1, 1, 0.05), threading.Event()
    ran: list[str] = []

    def work(name: str) -> None:
        ran.append(name)
        go.wait(10)

    async def ask() -> None:
        with pytest.raises(HttpError) as raised:
            await pool.run(work, "runs")
        assert raised.value.status == 504
        # The thread is still busy: the next waits, in vain, and is taken out of the queue.
        with pytest.raises(HttpError) as raised:
            await pool.run(work, "waits")
        assert raised.value.status == 504
        await asyncio.sleep(0.01)
        assert pool.held == 1
        waiting = asyncio.create_task(pool.run(work, "waits too"))
        await asyncio.sleep(0)
        assert pool.held == 2
        with pytest.raises(HttpError) as raised:
            await pool.run(work, "is too many")
        assert (raised.value.status, raised.value.headers) == (503, {"Retry-After": "1"})
        go.set()
        await waiting
        while pool.held:
            await asyncio.sleep(0.001)
        await pool.run(work, "is answered")

    asyncio.run(ask())
    pool.close()
    assert ran == ["runs", "waits too", "is answered"]
