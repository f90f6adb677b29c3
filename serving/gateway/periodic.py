"""What is done again and again beside the requests."""

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any

from serving.embedding_index.errors import EmbeddingIndexError
from serving.gateway.errors import PartUnavailable, Unavailable
from serving.item_store.errors import ItemStoreError
from transforms.input_error import InputError

_LOG = logging.getLogger(__name__)

# What passes by itself, or once an operator has mended it.
_OUTAGES = (EmbeddingIndexError, ItemStoreError, PartUnavailable, Unavailable, InputError)

Step = Callable[[], Any]


class Periodic:
    """Takes steps in a thread, time and again. One that fails holds up no other, and is taken again.

    Args:
        name: of the thread, and of the work, for the log.
        seconds: between two rounds.
        steps: those of a round.
    """

    def __init__(self, name: str, seconds: float, steps: Callable[[], Iterable[Step]]) -> None:
        self.name = name
        self.seconds = seconds
        self._steps = steps
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._errors = 0
        self._last_error: str | None = None
        self._is_failing = False

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def stop(self) -> None:
        """Ends after the step at hand, and returns then."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def is_stopping(self) -> bool:
        """Whether a long step had better end."""
        return self._stop.is_set()

    def status(self) -> dict[str, Any]:
        """`errors` of all times, and the `last_error`."""
        return {"errors": self._errors, "last_error": self._last_error}

    def round(self) -> None:
        """Takes each step once."""
        problems = [self._attempt(step) for step in self._steps()]
        problem = next((each for each in problems if each is not None), None)
        # An outage is told when it begins and when it ends, not ten times a second.
        if problem is not None and not self._is_failing:
            _LOG.warning("%s: %s", self.name, problem)
        if problem is None and self._is_failing:
            _LOG.info("%s: works again", self.name)
        self._is_failing = problem is not None

    def _run(self) -> None:
        while not self._stop.is_set():
            self.round()
            self._stop.wait(self.seconds)

    def _attempt(self, step: Step) -> str | None:
        """What went wrong, if anything did."""
        try:
            step()
        except _OUTAGES as error:
            problem = str(error)
        except Exception as error:  # noqa: BLE001 - a defect must not end what all new items depend on
            problem = f"{type(error).__name__}: {error}"
            # One that lasts comes ten times a second.
            if problem != self._last_error:
                _LOG.exception("%s", self.name)
        else:
            return None
        self._errors += 1
        self._last_error = problem
        return problem
