"""One version of a model, from its first sight to its end."""

import enum
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from serving.model_server.predict import Runner
from serving.model_server.serving_error import ServingError


class State(enum.IntEnum):
    """TF Serving's states, with the numbers of its ModelVersionStatus."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


class Servable(Runner, Protocol):
    """A loaded model."""

    def close(self) -> None: ...


@dataclass
class ModelVersion:
    """What the manager knows of a version. Only the manager changes it, under its lock.

    Attributes:
        name: the model's.
        version: its number.
        path: its folder.
        state: where it stands.
        error: why the last load failed; None if it did not.
        servable: the loaded model; None before and after.
        users: requests that are running on it.
        is_wanted: whether the policy asks for it.
        failed_loads: loads that failed since it was last wanted.
        retry_at: when the next load is due, in seconds of the monotonic clock.
    """

    name: str
    version: int
    path: Path
    state: State = State.START
    error: ServingError | None = None
    servable: Servable | None = None
    users: int = 0
    is_wanted: bool = True
    failed_loads: int = 0
    retry_at: float = 0.0
