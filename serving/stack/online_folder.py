"""Where serving keeps what it takes in, and the lock of who serves it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from transforms.input_error import InputError


@dataclass(frozen=True)
class OnlineFolder:
    """ROOT/online: the embedded stores, the logs, and the models' configuration.

    Attributes:
        path: the folder.
    """

    path: Path

    @property
    def index(self) -> Path:
        """The embedding index."""
        return self.path / "index"

    @property
    def items(self) -> Path:
        """The items' columns, pictures and titles."""
        return self.path / "items"

    @property
    def queue(self) -> Path:
        """New items that wait to be encoded."""
        return self.path / "queue.db"

    @property
    def published(self) -> Path:
        """The number of the release that the stores have."""
        return self.path / "published"

    @property
    def logs(self) -> Path:
        """What the parts say, a file a part."""
        return self.path / "logs"

    @property
    def models_config(self) -> Path:
        """What the model server serves."""
        return self.path / "models.config"

    @property
    def monitoring_config(self) -> Path:
        """Where Prometheus reads the model server."""
        return self.path / "monitoring.config"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Makes the folders, and holds them for this process alone; the system gives them back when it dies.

        Raises:
            InputError: another process holds them, or they cannot be made.
        """
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
            file = (self.path / "lock").open("a+")
        except OSError as error:
            raise InputError(f"{self.path}: expected a folder to write into: {error}") from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                holder = file.read().strip()
                raise InputError(f"{self.path}: process {holder} serves it; one can at a time") from None
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            yield
