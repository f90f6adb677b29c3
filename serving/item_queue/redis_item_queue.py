"""The queue in Redis."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from serving.item_queue import redis_scripts as scripts
from serving.item_queue.claim import Claim
from serving.item_queue.config import QueueConfig
from serving.item_queue.dead_letter import DeadLetter
from serving.item_queue.errors import QueueFull, QueueUnavailable
from serving.item_queue.new_item import NewItem
from transforms.input_error import InputError

_LOG = logging.getLogger(__name__)

_GROUP = "encoders"
_FORGET_WORKERS_MS = 24 * 3600 * 1000
_MAX_REASON = 500


class RedisItemQueue:
    """The queue in Redis 7 or newer, for workers on many machines; see `ItemQueue`.

    A stream holds the places; the workers are consumers of one group, and XAUTOCLAIM takes over what one of them
    did not settle in time. Dead letters are a stream of their own. Each call is one script, so it happens whole
    or not at all. Times are the server's. What was acknowledged is on the server's disk if it runs with
    `appendonly yes` and `appendfsync always`.

    Args:
        url: "redis://host:port/database", "rediss://…" for TLS, or "unix://…".
        name: of the queue, the start of its keys.
        config: bounds.
        timeout_seconds: of connecting and of each call.
    Raises:
        InputError: the server keeps nothing over a restart, may evict items, or is too old.
        QueueUnavailable: the server does not answer.
    """

    def __init__(
        self,
        url: str,
        name: str = "adlens",
        config: QueueConfig | None = None,
        timeout_seconds: float = 5.0,
    ) -> None:
        self.name, self.timeout_seconds = name, timeout_seconds
        self.config = config or QueueConfig()
        try:
            # No silent retries: a put that is carried out twice is one, but its caller's deadline would be two.
            self._redis = redis.Redis.from_url(
                url,
                socket_timeout=timeout_seconds,
                socket_connect_timeout=timeout_seconds,
                retry=Retry(NoBackoff(), 0),
            )
        except ValueError as error:
            # The address may hold a password, so it is not shown.
            raise InputError(f"expected a queue's address like redis://host:6379/0: {error}") from error
        tag = f"{{{name}:items}}"
        self._item_prefix = f"{tag}:item:"
        self._keys = [f"{tag}:{key}" for key in ("stream", "waiting", "delayed", "bytes", "sequence", "dead")]
        self._stream, self._waiting, self._dead = self._keys[0], self._keys[1], self._keys[5]
        with self._errors():
            self._check_server()
            self._make_group()
            self._run(scripts.FORGET_WORKERS, _FORGET_WORKERS_MS)

    def put(self, item: NewItem) -> None:
        """See `ItemQueue`."""
        answer = self._run(
            scripts.PUT,
            item.item_id,
            item.size,
            item.title or "",
            item.category_id,
            item.shop_id,
            repr(item.introduced_at),
            item.image or b"",
            int(item.title is not None),
            int(item.image is not None),
            self.config.max_items,
            self.config.max_bytes,
        )
        if answer != b"taken":
            bound = self.config.max_items if answer == b"items" else self.config.max_bytes
            raise QueueFull(f"expected at most {bound} {answer.decode()} in the queue, got one more item")

    def claim(self, worker: str, count: int, lease_seconds: float) -> list[Claim]:
        """See `ItemQueue`."""
        lease_ms = max(1, round(lease_seconds * 1000))
        rows = self._run(scripts.CLAIM, worker, count, lease_ms, self.config.max_claim_bytes)
        return [_to_claim(worker, row) for row in rows]

    def renew(self, claims: Sequence[Claim]) -> list[Claim]:
        """See `ItemQueue`."""
        return self._each_held(scripts.RENEW, claims)

    def acknowledge(self, claims: Sequence[Claim]) -> list[Claim]:
        """See `ItemQueue`."""
        return self._each_held(scripts.ACKNOWLEDGE, claims)

    def retry(self, claim: Claim, delay_seconds: float, reason: str) -> bool:
        """See `ItemQueue`."""
        return bool(self._run(scripts.RETRY, *_to_arguments(claim), delay_seconds, reason[:_MAX_REASON]))

    def bury(self, claim: Claim, reason: str) -> bool:
        """See `ItemQueue`."""
        letter = (reason[:_MAX_REASON], claim.attempts, repr(claim.item.introduced_at))
        return bool(self._run(scripts.BURY, *_to_arguments(claim), *letter, self.config.max_dead))

    def dead(self, limit: int) -> list[DeadLetter]:
        """See `ItemQueue`."""
        if limit < 1:
            return []
        with self._errors():
            rows: Any = self._redis.xrevrange(self._dead, count=limit)
        return [_to_dead_letter(fields) for _, fields in rows]

    def waiting(self) -> int:
        """See `ItemQueue`."""
        with self._errors():
            return int(self._redis.zcard(self._waiting))

    def oldest_seconds(self) -> float:
        """See `ItemQueue`."""
        return float(self._run(scripts.OLDEST))

    def close(self) -> None:
        """Closes the connections."""
        self._redis.close()

    def _each_held(self, script: str, claims: Sequence[Claim]) -> list[Claim]:
        if not claims:
            return []
        places = self._run(script, *(argument for claim in claims for argument in _to_arguments(claim)))
        return [claims[place] for place in places]

    def _run(self, script: str, *arguments: str | float | bytes) -> Any:
        call = self._redis.register_script(script)
        with self._errors():
            return call(keys=self._keys, args=[_GROUP, self._item_prefix, *arguments])

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except redis.exceptions.OutOfMemoryError as error:
            raise QueueFull(f"the queue's Redis has no memory left: {error}") from error
        except redis.exceptions.RedisError as error:
            raise QueueUnavailable(f"the queue's Redis: {error}") from error

    def _check_server(self) -> None:
        facts: Any = self._redis.info()
        if int(facts["redis_version"].split(".")[0]) < 7:
            raise InputError(f"expected Redis 7 or newer for the queue, got {facts['redis_version']}")
        if not facts["aof_enabled"]:
            raise InputError("expected a Redis with appendonly yes for the queue, got appendonly no")
        if facts.get("maxmemory") and facts["maxmemory_policy"].startswith("allkeys"):
            policy = facts["maxmemory_policy"]
            raise InputError(
                f"expected a Redis for the queue that evicts nothing, got maxmemory-policy {policy}"
            )
        try:
            answer: Any = self._redis.config_get("appendfsync")
        except redis.exceptions.ResponseError as error:
            _LOG.warning("cannot tell whether Redis syncs each write to its disk: %s", error)
            return
        if answer.get("appendfsync") != "always":
            _LOG.warning(
                "Redis has appendfsync %s: a power cut may lose items of the last second; always keeps them",
                answer.get("appendfsync"),
            )

    def _make_group(self) -> None:
        try:
            self._redis.xgroup_create(self._stream, _GROUP, id="0", mkstream=True)
        except redis.exceptions.ResponseError as error:
            if "BUSYGROUP" not in str(error):  # There is one already.
                raise


def _to_arguments(claim: Claim) -> tuple[str | int, ...]:
    return claim.id, claim.worker, claim.delivery, claim.item.item_id, claim.sequence


def _to_claim(worker: str, row: Sequence[Any]) -> Claim:
    entry, item_id, delivery, sequence, attempts, reason, _, *content = row
    image, has_image, title, has_title, category_id, shop_id, introduced_at = content
    item = NewItem(
        item_id=item_id.decode(),
        image=image if int(has_image) else None,
        title=title.decode() if int(has_title) else None,
        category_id=category_id.decode(),
        shop_id=shop_id.decode(),
        introduced_at=float(introduced_at),
    )
    why = None if reason is None else reason.decode()
    return Claim(entry.decode(), item, int(attempts), worker, int(delivery), int(sequence), why)


def _to_dead_letter(fields: dict[bytes, bytes]) -> DeadLetter:
    return DeadLetter(
        item_id=fields[b"item_id"].decode(),
        reason=fields[b"reason"].decode(),
        attempts=int(fields[b"attempts"]),
        introduced_at=float(fields[b"introduced_at"]),
        buried_at=float(fields[b"buried_at"]),
    )
