"""Keeps the parts of the stack running."""

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event

from serving.stack.part import Part
from serving.stack.part_log import PartLog
from serving.stack.part_process import PartProcess

LOOK_SECONDS = 0.2
MAX_LOG_BYTES = 16 << 20


class Supervisor:
    """Starts parts, starts those again that end, and stops all of them.

    It works in the thread that calls `run`, and starts none of its own: a process that is forked beside threads may
    inherit what they hold.

    Args:
        parts: in the order in which they are stopped.
        logs: the folder of their logs, which is there.
        say: is called with each line that the user should see.
        on_ready: is called once, when all parts were ready for the first time.
        on_look: is called at every look at the parts; an OSError of it is told, and tried again.
        stop_seconds: how long each part may take to end; what takes longer is killed.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        logs: Path,
        say: Callable[[str], None],
        on_ready: Callable[[], None] = lambda: None,
        on_look: Callable[[], None] = lambda: None,
        stop_seconds: float = 25.0,
    ) -> None:
        self.parts = parts
        self.stop_seconds = stop_seconds
        self.logs = logs
        self.say, self.on_ready, self.on_look = say, on_ready, on_look
        self._complaint = ""
        self._processes = [
            PartProcess(part, PartLog(logs / f"{part.name}.log", MAX_LOG_BYTES)) for part in parts
        ]

    def run(self, stop: Event) -> None:
        """Works until `stop` is set; then no part runs any more, whatever happened."""
        try:
            self._watch(stop)
        finally:
            self._stop()

    def _watch(self, stop: Event) -> None:
        waiting = {process.part.name for process in self._processes}
        while not stop.wait(LOOK_SECONDS):
            self._look()
            for process in self._processes:
                told = process.check()
                if told is not None:
                    self.say(told)
                if process.is_ready and waiting:
                    waiting.discard(process.part.name)
                    if not waiting:
                        self.on_ready()

    def _look(self) -> None:
        complaints = []
        for action in (self.on_look, *(process.log.trim for process in self._processes)):
            try:
                action()
            except OSError as error:
                complaints.append(str(error))
        complaint = "; ".join(complaints)
        if complaint and complaint != self._complaint:
            self.say(complaint)
        self._complaint = complaint

    def _stop(self) -> None:
        """One after the other, so that those in front end their work with what they need still there."""
        for process in self._processes:
            process.terminate()
            process.wait(self.stop_seconds)
