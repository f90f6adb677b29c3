"""Shows which stage runs, and keeps the libraries' own output in a file."""

import logging
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from transforms.input_error import InputError

# What TFX's local and Beam runners log when a node starts and ends.
_STARTED = re.compile(r"^(?:Component|node) (\S+) is running\.$")
_CACHED = re.compile(r"^A cached execution \d+ is used\.$")
_FINISHED = re.compile(r"^(?:Component|node) (\S+) is finished\.$")


class StageProgress(logging.Handler):
    """Turns the runner's log into one line a stage.

    Args:
        nodes: names of the stages, in their order.
        out: where the lines go.
    """

    def __init__(self, nodes: Sequence[str], out: TextIO):
        super().__init__()
        self.nodes = list(nodes)
        self.out = out
        self.started: dict[str, float] = {}
        self.cached: set[str] = set()
        self.running = ""

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if found := _STARTED.match(message):
            self.running = found[1]
            self.started[found[1]] = time.monotonic()
            self._show(found[1], "…")
        elif _CACHED.match(message):
            self.cached.add(self.running)
        elif found := _FINISHED.match(message):
            seconds = time.monotonic() - self.started[found[1]]
            self._show(found[1], "done before" if found[1] in self.cached else f"{seconds:.1f} s")

    def _show(self, node: str, text: str) -> None:
        place = self.nodes.index(node) + 1 if node in self.nodes else 0
        print(f"[{place:>2}/{len(self.nodes)}] {node:<18} {text}", file=self.out, flush=True)


@contextmanager
def quiet(log_path: str) -> Iterator[TextIO]:
    """Sends everything that is written to stderr, by C++ libraries too, to a file; yields the real stderr."""
    try:
        os.makedirs(os.path.dirname(log_path), exist_ok=True)
    except OSError as error:
        raise InputError(f"{os.path.dirname(log_path)}: cannot be made: {error.strerror}") from error
    sys.stderr.flush()
    real = os.dup(2)
    try:
        with open(log_path, "a", encoding="utf-8") as log:
            os.dup2(log.fileno(), 2)
            with os.fdopen(os.dup(real), "w", encoding="utf-8") as out:
                yield out
    finally:
        sys.stderr.flush()
        os.dup2(real, 2)
        os.close(real)


def find_input_error(error: BaseException) -> InputError | None:
    """Finds the user's mistake in an exception that Beam or TFX wrapped around it.

    Beam's workers hand exceptions over as text, so the message is looked for there too.
    """
    seen: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in seen:
        seen.append(cause)
        cause = cause.__cause__ or cause.__context__
    for entry in reversed(seen):
        if isinstance(entry, InputError):
            return InputError(_first_message(str(entry)))
    for entry in seen:
        if found := re.findall(r"InputError: (.+)", str(entry)):
            return InputError(_first_message(found[0]))
    return None


def _first_message(text: str) -> str:
    """Drops the step that Beam appends to a message."""
    return text.split("\n", 1)[0].split(" [while running ", 1)[0]
