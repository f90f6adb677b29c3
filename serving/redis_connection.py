"""A connection to a Redis that keeps what it acknowledges."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from serving.store_kind import StoreKind
from transforms.input_error import InputError


class RedisConnection:
    """A pool of connections to one Redis, whose errors become those of a kind of store.

    Args:
        url: `redis://[[user]:password@]host:port[/db]`, `rediss://…` for TLS, or `unix://…`.
        timeout_seconds: > 0, for connecting and for each answer; a call that finds its connection broken
            connects once more.
        allow_volatile: whether a server may lose what it has, without an append-only file or with evictions.
        kind: what is stored there, and the errors that say so.
    Raises:
        InputError: the URL cannot be, or the server may lose what it has.
        kind.unavailable: the server does not answer.
    """

    def __init__(self, url: str, timeout_seconds: float, allow_volatile: bool, kind: StoreKind) -> None:
        if not timeout_seconds > 0:
            raise InputError(f"expected timeout_seconds above 0, got {timeout_seconds}")
        self._kind = kind
        try:
            # Its types allow for decoded answers, which this client does not give.
            self.client: Any = redis.Redis.from_url(
                url,
                socket_timeout=timeout_seconds,
                socket_connect_timeout=timeout_seconds,
                retry=Retry(NoBackoff(), 1),
            )
        except ValueError as error:
            # The URL may hold a password, so it is not shown.
            raise InputError(f"expected the URL of a Redis, redis://host:port; {error}") from error
        if not allow_volatile:
            self._check_server()

    @contextmanager
    def pipeline(self, is_transaction: bool = False) -> Iterator[Any]:
        """Commands that are sent together."""
        with self.errors(), self.client.pipeline(transaction=is_transaction) as pipe:
            yield pipe

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Translates the client's errors.

        Raises:
            kind.full: the server has no memory or no disk for a write.
            kind.unavailable: whatever else fails.
        """
        try:
            yield
        except redis.RedisError as error:
            # What comes before repeats the command, with its values.
            reason = str(error).rpartition(" of pipeline caused error: ")[2]
            # MISCONF is its answer to a write while its disk is full.
            is_full = isinstance(error, redis.exceptions.OutOfMemoryError) or reason.startswith("MISCONF")
            raise (self._kind.full if is_full else self._kind.unavailable)(f"Redis: {reason}") from error

    def close(self) -> None:
        """Closes the connections."""
        self.client.close()

    def _check_server(self) -> None:
        with self.pipeline() as pipe:
            pipe.info("persistence")
            pipe.info("memory")
            persistence, memory = pipe.execute()
        if not persistence["aof_enabled"]:
            raise InputError(
                "expected a Redis that keeps what it acknowledges (appendonly yes), got one without"
            )
        policy = memory["maxmemory_policy"]
        if policy.startswith("allkeys"):
            raise InputError(
                f"expected a Redis that evicts nothing (maxmemory-policy noeviction), got {policy}"
            )
