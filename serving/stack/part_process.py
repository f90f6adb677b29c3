"""A part that runs, or waits to be started again."""

import ctypes
import http.client
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable

from serving.stack.part import Part
from serving.stack.part_log import PartLog

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)
_PROBE_SECONDS = 2.0
# What runs on this machine is not asked for through a proxy.
_OPEN = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


class PartProcess:
    """A part's process: started, watched, started again, and stopped with all that it started itself.

    It is killed when the thread that started it ends, whatever ends it, so that none stays behind.

    Args:
        part: what runs.
        log: takes what it says.
        min_backoff_seconds: before it is started again after its first end; doubled by each further one.
        max_backoff_seconds: at most.
        stable_seconds: a process that ran that long has the next end counted as its first.
    Attributes:
        is_ready: whether it has answered since it was started.
        ends: how often it ended unasked since it last ran stably.
    """

    def __init__(
        self,
        part: Part,
        log: PartLog,
        min_backoff_seconds: float = 0.25,
        max_backoff_seconds: float = 30.0,
        stable_seconds: float = 60.0,
    ) -> None:
        self.part, self.log = part, log
        self.min_backoff_seconds, self.max_backoff_seconds = min_backoff_seconds, max_backoff_seconds
        self.stable_seconds = stable_seconds
        self.is_ready = False
        self.ends = 0
        self._started = self._due = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Of the process; None while none runs."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Starts it.

        Raises:
            OSError: there is no such command, or no room for its log.
        """
        self.is_ready, self._started = False, time.monotonic()
        if self.part.ready_file is not None:
            self.part.ready_file.unlink(missing_ok=True)
        with self.log.open() as log:
            self._process = subprocess.Popen(
                self.part.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A group of its own: the terminal's Ctrl-C reaches the supervisor alone, which stops all in order.
                start_new_session=True,
                # The process has no thread but this one; see Supervisor.
                preexec_fn=_dies_with(os.getpid()),  # noqa: PLW1509
            )

    def check(self) -> str | None:
        """Starts it again once that is due. Returns what there is to tell of it, if anything."""
        if self._process is None:
            if time.monotonic() >= self._due:
                return self._try_to_start()
        elif (status := self._process.poll()) is not None:
            return self._note_end(status)
        elif not self.is_ready and self._answers():
            self.is_ready = True
            return f"{self.part.name} is ready after {time.monotonic() - self._started:.0f} s"
        return None

    def terminate(self) -> None:
        """Asks it to end."""
        if self._process is not None:
            self._process.terminate()

    def wait(self, seconds: float) -> None:
        """Waits for its end, and kills it and what it started where it does not come."""
        if self._process is None:
            return
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            pass
        self._kill_group(self._process)
        self._process = None

    def _try_to_start(self) -> str | None:
        try:
            self.start()
        except OSError as error:
            return f"{self.part.name} cannot be started: {error}; {self._put_off()}"
        return None

    def _note_end(self, status: int) -> str:
        assert self._process is not None
        self._kill_group(self._process)
        self._process, self.is_ready = None, False
        if status < 0:
            return f"{self.part.name} was killed by {_signal_name(-status)}, {self._put_off()}"
        line = self.log.last_line()
        said = f"; it said: {line}" if line else ""
        return f"{self.part.name} ended with {status}, {self._put_off()}{said}"

    def _put_off(self) -> str:
        """Has it started later. Returns when."""
        self.ends = 1 if time.monotonic() - self._started > self.stable_seconds else self.ends + 1
        # Beyond some doublings it is the maximum, and 2.0 ** 1024 would be too large a number.
        delay = min(self.min_backoff_seconds * 2.0 ** min(self.ends - 1, 30), self.max_backoff_seconds)
        self._due = time.monotonic() + delay
        return f"starts again in {delay:.2g} s (log: {self.log.path})"

    def _answers(self) -> bool:
        try:
            if self.part.ready_file is not None and not self.part.ready_file.exists():
                return False
            if self.part.ready_url is None:
                return True
            with _OPEN(self.part.ready_url, timeout=_PROBE_SECONDS) as response:
                return response.status == 200
        except (OSError, http.client.HTTPException):
            return False

    @staticmethod
    def _kill_group(process: "subprocess.Popen[bytes]") -> None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"  # most of the real-time ones have no name


def _dies_with(parent: int) -> Callable[[], None]:
    def before_exec() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)  # it died before that

    return before_exec
