"""An LMDB folder whose map grows as it fills."""

import errno
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import lmdb

from serving.store_kind import StoreKind
from transforms.input_error import InputError

Result = TypeVar("Result")

_FIRST_BYTES = 64 * 2**20
_SMALLEST_BYTES = 2**20
# LMDB says EIO where the system took only a part of a write, which is how a disk becomes full.
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


class LmdbEnvironment:
    """Runs transactions in an LMDB folder, and enlarges its map when they need more.

    The map is address space: the file itself takes what is stored. LMDB lets nobody have a transaction open
    in a process that changes the size, so transactions are run here, one that reads and one that writes at a
    time. Threads that read at once would gain nothing, for they share the interpreter's lock, and much would
    be lost: those that let go of it for a microsecond in turn keep a third thread from it for seconds.

    Args:
        folder: made where it is absent, unless `readonly`.
        max_bytes: the map's largest size; give all processes the same.
        max_readers: transactions that may read at once, over all processes.
        readonly: whether this process only reads.
        databases: names of the databases inside.
        kind: what is stored there, and the errors that say so.
    Raises:
        InputError: the folder cannot be opened, or a limit is too small.
    """

    def __init__(
        self,
        folder: str | Path,
        max_bytes: int,
        max_readers: int,
        readonly: bool,
        databases: list[str],
        kind: StoreKind,
    ) -> None:
        if max_bytes < _SMALLEST_BYTES or max_readers < 1:
            raise InputError(
                f"expected max_bytes of at least {_SMALLEST_BYTES} and max_readers of at least 1,"
                f" got {max_bytes} and {max_readers}"
            )
        self.folder = Path(folder)
        self.max_bytes = max_bytes
        self._kind = kind
        # Who takes both takes `_writing` first.
        self._writing, self._reading = threading.Lock(), threading.Lock()
        try:
            if not readonly:
                self.folder.mkdir(parents=True, exist_ok=True)
            self._environment = lmdb.open(
                str(folder),
                map_size=min(_FIRST_BYTES, max_bytes),
                max_dbs=len(databases),
                max_readers=max_readers,
                readonly=readonly,
                create=not readonly,
            )
            self.databases = {name: self._open_database(name, readonly) for name in databases}
        except (lmdb.Error, OSError) as error:
            raise InputError(f"{folder}: expected the folder of an {kind.name}, got {error}") from error
        # Processes that were killed while reading would keep old pages from being used again.
        self._environment.reader_check()

    def read(self, look: Callable[[lmdb.Transaction], Result]) -> Result:
        """Runs a function in a transaction that sees one state; what it returns must not refer to the map."""
        return self._run(look, self._reading, is_write=False)

    def write(self, change: Callable[[lmdb.Transaction], Result]) -> Result:
        """Runs a function in a transaction that is durable when this returns; it may run more than once.

        Raises:
            kind.full: the map is at its limit, or the disk is full; nothing has changed.
        """
        return self._run(change, self._writing, is_write=True)

    def close(self) -> None:
        """Waits for what is running, and closes."""
        with self._writing, self._reading:
            self._environment.close()

    def _open_database(self, name: str, readonly: bool) -> Any:
        try:
            return self._environment.open_db(name.encode(), create=not readonly)
        except lmdb.Error:
            self._environment.close()
            raise

    def _run(
        self, work: Callable[[lmdb.Transaction], Result], lock: threading.Lock, is_write: bool
    ) -> Result:
        while True:
            size = 0
            try:
                with lock:
                    size = self._environment.info()["map_size"]
                    with self._environment.begin(write=is_write, buffers=True) as transaction:
                        return work(transaction)
            except lmdb.MapResizedError:
                self._adopt_size()
            except lmdb.MapFullError:
                self._grow(size)
            except lmdb.Error as error:
                raise self._translate(error) from error

    def _adopt_size(self) -> None:
        """Takes the size that another process has given the map."""
        with self._writing, self._reading:
            self._environment.set_mapsize(0)

    def _grow(self, size: int) -> None:
        """Makes room: pages that a killed reader kept, else twice the map, unless that has been done since."""
        if self._environment.reader_check():
            return
        if size >= self.max_bytes:
            raise self._kind.full(
                f"{self.folder}: the {self._kind.name} has reached its limit of {self.max_bytes} bytes (max_bytes)"
            )
        with self._writing, self._reading:
            if self._environment.info()["map_size"] <= size:
                self._environment.set_mapsize(min(2 * size, self.max_bytes))

    def _translate(self, error: lmdb.Error) -> Exception:
        if getattr(error, "code", None) in _NO_SPACE:
            return self._kind.full(f"{self.folder}: cannot be written to, is the disk full? ({error})")
        return self._kind.unavailable(f"{self.folder}: {error}")
