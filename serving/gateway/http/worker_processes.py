"""Several processes of the gateway on one port."""

import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Callable
from multiprocessing import connection

from transforms.input_error import InputError

_POLL_SECONDS = 0.2


class WorkerProcesses:
    """Several processes of the gateway, among which the kernel shares the connections.

    Each has an engine, limits and rates of its own; `/metrics` has the sums of all. If one of them ends by
    itself, so do the others: whoever supervises the gateway starts it anew.

    Args:
        serve: answers until its event is set; it is pickled for the new processes.
        count: how many.
    """

    def __init__(self, serve: Callable[[threading.Event], None], count: int) -> None:
        self.serve = serve
        self.count = count

    def run(self, stop: threading.Event) -> int:
        """Runs them until it is told to stop. Returns 0, or 1 where one ended by itself."""
        context = multiprocessing.get_context("spawn")
        with tempfile.TemporaryDirectory() as folder:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
            processes = [context.Process(target=_work, args=(self.serve,)) for _ in range(self.count)]
            for process in processes:
                process.start()
            sentinels = [process.sentinel for process in processes]
            while not stop.is_set() and not connection.wait(sentinels, _POLL_SECONDS):
                pass
            for process in processes:
                process.terminate()
            for process in processes:
                process.join()
            del os.environ["PROMETHEUS_MULTIPROC_DIR"]
        return 0 if stop.is_set() else 1


def _work(serve: Callable[[threading.Event], None]) -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=_follow_parent, args=(stop,), daemon=True).start()
    try:
        serve(stop)
    except InputError as error:
        raise SystemExit(f"adlens: {error}") from error


def _follow_parent(stop: threading.Event) -> None:
    """Stops when the parent is gone, however it went."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    stop.set()
