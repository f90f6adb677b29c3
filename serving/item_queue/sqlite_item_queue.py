"""The queue in one database file."""

import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from serving.item_queue.claim import Claim
from serving.item_queue.config import QueueConfig
from serving.item_queue.dead_letter import DeadLetter
from serving.item_queue.errors import QueueFull, QueueUnavailable
from serving.item_queue.new_item import NewItem
from transforms.input_error import InputError

# Contents lie apart, so that a claim rewrites a short row and no picture.
_SCHEMA = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS contents (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    title TEXT, category_id TEXT NOT NULL, shop_id TEXT NOT NULL, introduced_at REAL NOT NULL, image BLOB);
CREATE TABLE IF NOT EXISTS places (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    item_id TEXT NOT NULL UNIQUE,
    sequence INTEGER NOT NULL, size INTEGER NOT NULL, put_at REAL NOT NULL, due_at REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, delivery INTEGER NOT NULL DEFAULT 0,
    worker TEXT, claimed_at REAL, reason TEXT);
CREATE TABLE IF NOT EXISTS dead_letters (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    item_id TEXT NOT NULL, reason TEXT NOT NULL, attempts INTEGER NOT NULL,
    introduced_at REAL NOT NULL, buried_at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS places_put_at ON places (put_at);
CREATE INDEX IF NOT EXISTS places_due_at ON places (due_at);
CREATE TABLE IF NOT EXISTS totals (only INTEGER PRIMARY KEY CHECK (only = 1), items INTEGER, bytes INTEGER);
INSERT OR IGNORE INTO totals VALUES (1, 0, 0);
CREATE TRIGGER IF NOT EXISTS place_added AFTER INSERT ON places BEGIN
    UPDATE totals SET items = items + 1, bytes = bytes + new.size; END;
CREATE TRIGGER IF NOT EXISTS place_changed AFTER UPDATE OF size ON places BEGIN
    UPDATE totals SET bytes = bytes - old.size + new.size; END;
CREATE TRIGGER IF NOT EXISTS place_left AFTER DELETE ON places BEGIN
    UPDATE totals SET items = items - 1, bytes = bytes - old.size; END;
COMMIT;
"""
_MAX_REASON = 500


class SqliteItemQueue:
    """The queue in one SQLite file, for the processes of one machine; see `ItemQueue`.

    Every change is one transaction in a write-ahead log that is synced to the disk before the call returns, so
    that neither a killed process nor a power cut loses what was acknowledged. The file never shrinks, but its room
    is used again: it stays near `config.max_bytes`.

    Args:
        path: the file; it and its folder are made where absent.
        config: bounds.
        timeout_seconds: how long a call waits for other processes' transactions.
    Raises:
        InputError: the file is there and no database.
        QueueUnavailable: it cannot be opened or made.
    """

    def __init__(self, path: Path, config: QueueConfig | None = None, timeout_seconds: float = 10.0) -> None:
        self.path = path
        self.config = config or QueueConfig()
        self.timeout_seconds = timeout_seconds
        self._local = threading.local()
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._connection().executescript(_SCHEMA)
        except sqlite3.OperationalError as error:
            raise QueueUnavailable(f"{path}: {error}") from error
        except sqlite3.DatabaseError as error:
            raise InputError(f"{path}: expected a queue's database file, got {error}") from error

    def put(self, item: NewItem) -> None:
        """See `ItemQueue`."""
        with _full_as_such(), self._transaction() as database:
            known = database.execute(
                "SELECT sequence, size FROM places WHERE item_id = ?", (item.item_id,)
            ).fetchone()
            self._check_room(database, item.size, None if known is None else known[1])
            if known is not None:
                database.execute("DELETE FROM contents WHERE sequence = ?", known[:1])
            sequence = _insert_content(database, item)
            now = time.time()
            # A newer content is tried at once and anew. A claim of the older one stays: this waits for its end.
            database.execute(
                "INSERT INTO places (item_id, sequence, size, put_at, due_at) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (item_id) DO UPDATE SET sequence = excluded.sequence, size = excluded.size,"
                " put_at = CASE WHEN claimed_at IS NULL THEN put_at ELSE excluded.put_at END,"
                " due_at = min(due_at, excluded.due_at), attempts = 0, reason = NULL",
                (item.item_id, sequence, item.size, now, now),
            )

    def claim(self, worker: str, count: int, lease_seconds: float) -> list[Claim]:
        """See `ItemQueue`."""
        with self._transaction() as database:
            now = time.time()
            rows = database.execute(
                "SELECT place, size FROM places"
                " WHERE due_at <= ? AND (claimed_at IS NULL OR claimed_at <= ?) ORDER BY due_at, place LIMIT ?",
                (now, now - lease_seconds, count),
            ).fetchall()
            taken = _first_bytes(rows, self.config.max_claim_bytes)
            return [_take(database, place, worker, now) for place in taken]

    def renew(self, claims: Sequence[Claim]) -> list[Claim]:
        """See `ItemQueue`."""
        with self._transaction() as database:
            held = [claim for claim in claims if _is_held(database, claim)]
            places = [(time.time(), int(claim.id)) for claim in held]
            database.executemany("UPDATE places SET claimed_at = ? WHERE place = ?", places)
            return held

    def acknowledge(self, claims: Sequence[Claim]) -> list[Claim]:
        """See `ItemQueue`."""
        with self._transaction() as database:
            held = [claim for claim in claims if _is_held(database, claim)]
            for claim in held:
                _settle(database, claim)
            return held

    def retry(self, claim: Claim, delay_seconds: float, reason: str) -> bool:
        """See `ItemQueue`."""
        with self._transaction() as database:
            if not _is_held(database, claim):
                return False
            if not _give_back_newer(database, claim):
                database.execute(
                    "UPDATE places SET worker = NULL, claimed_at = NULL, due_at = ?, reason = ? WHERE place = ?",
                    (time.time() + delay_seconds, reason[:_MAX_REASON], int(claim.id)),
                )
            return True

    def bury(self, claim: Claim, reason: str) -> bool:
        """See `ItemQueue`."""
        with self._transaction() as database:
            if not _is_held(database, claim):
                return False
            letter = (claim.item.item_id, reason[:_MAX_REASON], claim.attempts, claim.item.introduced_at)
            last = database.execute(
                "INSERT INTO dead_letters (item_id, reason, attempts, introduced_at, buried_at)"
                " VALUES (?, ?, ?, ?, ?)",
                (*letter, time.time()),
            ).lastrowid
            database.execute(
                "DELETE FROM dead_letters WHERE number <= ?", ((last or 0) - self.config.max_dead,)
            )
            _settle(database, claim)
            return True

    def dead(self, limit: int) -> list[DeadLetter]:
        """See `ItemQueue`."""
        rows = self._read(
            "SELECT item_id, reason, attempts, introduced_at, buried_at FROM dead_letters"
            " ORDER BY number DESC LIMIT ?",
            max(0, limit),
        )
        return [DeadLetter(*row) for row in rows]

    def waiting(self) -> int:
        """See `ItemQueue`."""
        return self._read("SELECT items FROM totals")[0][0]

    def oldest_seconds(self) -> float:
        """See `ItemQueue`."""
        oldest = self._read("SELECT min(put_at) FROM places")[0][0]
        return 0.0 if oldest is None else max(0.0, time.time() - oldest)

    def close(self) -> None:
        """Closes this thread's connection."""
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    def _check_room(self, database: sqlite3.Connection, size: int, old_size: int | None) -> None:
        items, stored = database.execute("SELECT items, bytes FROM totals").fetchone()
        if old_size is None and items >= self.config.max_items:
            raise QueueFull(f"expected fewer than {self.config.max_items} items in the queue, got {items}")
        total = stored - (old_size or 0) + size
        if total > self.config.max_bytes:
            raise QueueFull(f"expected at most {self.config.max_bytes} bytes in the queue, got {total}")

    def _read(self, statement: str, *values: object) -> list[tuple]:
        with self._errors():
            return self._connection().execute(statement, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._errors():
            database = self._connection()
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            except BaseException:
                # SQLite has rolled back by itself where the disk is full.
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise QueueUnavailable(f"{self.path}: {error}") from error

    def _connection(self) -> sqlite3.Connection:
        """This thread's connection; a forked child makes its own."""
        connection = getattr(self._local, "connection", None)
        if connection is None or self._local.process != os.getpid():
            connection = sqlite3.connect(self.path, timeout=self.timeout_seconds, isolation_level=None)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            self._local.connection, self._local.process = connection, os.getpid()
        return connection


@contextmanager
def _full_as_such() -> Iterator[None]:
    """Tells a full file or disk from other failures of a put: it took nothing."""
    try:
        yield
    except QueueUnavailable as error:
        if getattr(error.__cause__, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            raise QueueFull(str(error)) from error
        raise


def _insert_content(database: sqlite3.Connection, item: NewItem) -> int:
    cursor = database.execute(
        "INSERT INTO contents (title, category_id, shop_id, introduced_at, image) VALUES (?, ?, ?, ?, ?)",
        (item.title, item.category_id, item.shop_id, item.introduced_at, item.image),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def _first_bytes(rows: Sequence[tuple[int, int]], max_bytes: int) -> Iterator[int]:
    """The places of the first rows, until their sizes are more than `max_bytes`."""
    total = 0
    for place, size in rows:
        if total > max_bytes:
            return
        total += size
        yield place


def _take(database: sqlite3.Connection, place: int, worker: str, now: float) -> Claim:
    database.execute(
        "UPDATE places SET worker = ?, claimed_at = ?, delivery = delivery + 1, attempts = attempts + 1"
        " WHERE place = ?",
        (worker, now, place),
    )
    item_id, attempts, delivery, sequence, reason, *content = database.execute(
        "SELECT item_id, attempts, delivery, sequence, reason, image, title, category_id, shop_id, introduced_at"
        " FROM places JOIN contents USING (sequence) WHERE place = ?",
        (place,),
    ).fetchone()
    return Claim(str(place), NewItem(item_id, *content), attempts, worker, delivery, sequence, reason)


def _is_held(database: sqlite3.Connection, claim: Claim) -> bool:
    found = database.execute(
        "SELECT 1 FROM places WHERE place = ? AND delivery = ? AND worker = ?",
        (int(claim.id), claim.delivery, claim.worker),
    )
    return found.fetchone() is not None


def _settle(database: sqlite3.Connection, claim: Claim) -> None:
    if _give_back_newer(database, claim):
        return
    database.execute("DELETE FROM contents WHERE sequence = ?", (claim.sequence,))
    database.execute("DELETE FROM places WHERE place = ?", (int(claim.id),))


def _give_back_newer(database: sqlite3.Connection, claim: Claim) -> bool:
    """Where a newer content came meanwhile, lets it be claimed. Returns whether one did."""
    changed = database.execute(
        "UPDATE places SET worker = NULL, claimed_at = NULL WHERE place = ? AND sequence != ?",
        (int(claim.id), claim.sequence),
    )
    return changed.rowcount == 1
