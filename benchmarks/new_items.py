"""Items that come while all else runs, and when they are usable: what freshness and faults are measured with."""

import base64
import http.client
import threading
import time
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.running_stack import GatewayClient, RunningStack

PUTTERS, CHECKERS = 8, 4
# Ads that a request may have ranked beyond what is recalled.
MAX_ALSO_RANKED = 50
# Of a search by an item's own picture or title: many titles stand in the catalog several times.
NUM_SIMILAR = 200
# The most ads that a request may ask for: where one stands twice, it shows.
MAX_ADS = 200
# Rounds of requests from one that asks for as many to the next.
ROUNDS_A_LIST = 25
# Asking more often would take more of the processor than all else.
CHECK_SECONDS = 0.2


@dataclass
class NewItem:
    """An item and what became of it.

    Attributes:
        item_id: new.
        image: of an item of the catalog, or a broken one.
        title: of the same item.
        put_at: when its PUT was due.
        taken_at: when that was answered.
        status: with what it was answered.
        usable_at: when it had been scored with its own vectors and then found by its picture or title; None: it has
            not.
        tries: how often the search did not bring it although it was scored.
    """

    item_id: str
    image: bytes
    title: str
    put_at: float = 0.0
    taken_at: float | None = None
    status: int = 0
    usable_at: float | None = None
    tries: int = 0


@dataclass
class Stream:
    """New items that are introduced at a steady rate, and looked for until they are usable.

    Args:
        stack: takes them.
        items: in their order.
        rate: a second.
        user: whom they are scored for, as `/v1/sample-users` has one.
    """

    stack: RunningStack
    items: Sequence[NewItem]
    rate: float
    user: dict
    _numbers: dict[str, int] = field(init=False)
    _stop: threading.Event = field(default_factory=threading.Event)
    _ignored: Collection[str] = ()
    _failed_checks: int = 0
    _doubled: int = 0
    _lists_of_ads: int = 0

    def __post_init__(self) -> None:
        self._numbers = {item.item_id: number for number, item in enumerate(self.items)}

    def run(self, patience_seconds: float, ignored: Collection[str] = ()) -> None:
        """Introduces all, and returns when all are usable, or some time after the last was taken.

        Args:
            patience_seconds: that time.
            ignored: items that are introduced and not looked for.
        """
        self._ignored = ignored
        start = time.monotonic() + 0.5
        for number, item in enumerate(self.items):
            item.put_at = start + number / self.rate
        with ThreadPoolExecutor(PUTTERS + CHECKERS) as pool:
            checks = [pool.submit(self._check_share, number) for number in range(CHECKERS)]
            puts = [pool.submit(self._put_share, number) for number in range(PUTTERS)]
            try:
                for each in puts:
                    each.result()
                deadline = time.monotonic() + patience_seconds
                while self.unusable() and time.monotonic() < deadline:
                    time.sleep(0.1)
            finally:
                self._stop.set()
            for each in checks:
                each.result()
        self._count_doubled_ads(self.stack.client())

    def unusable(self) -> list[NewItem]:
        """Those that were taken and are not usable."""
        return self._waiting(self.items)

    @property
    def failed_checks(self) -> int:
        """Requests for recommendations and searches that were not answered, or not with 200."""
        return self._failed_checks

    @property
    def doubled(self) -> int:
        """Items that stood twice among the ads or in the answer of a search."""
        return self._doubled

    @property
    def lists_of_ads(self) -> int:
        """Whole lists of ads that were looked through for items that stand twice."""
        return self._lists_of_ads

    def _put_share(self, number: int) -> None:
        client = self.stack.client()
        for item in self.items[number::PUTTERS]:
            time.sleep(max(0.0, item.put_at - time.monotonic()))
            item.status = client.put_until_taken(item.item_id, item.image, item.title).status
            item.taken_at = time.monotonic()

    def _check_share(self, number: int) -> None:
        client = self.stack.client()
        # Neighbors, so that each has pictures and titles to search by.
        mine = [item for place, item in enumerate(self.items) if place // 2 % CHECKERS == number]
        rounds = 0
        while not self._stop.is_set():
            rounds += 1
            try:
                if rounds % ROUNDS_A_LIST == 1:
                    self._count_doubled_ads(client)
                for item in self._scored(client, self._waiting(mine)[:MAX_ALSO_RANKED]):
                    if self._is_found(client, item):
                        item.usable_at = time.monotonic()
                    else:
                        item.tries += 1
            except (OSError, http.client.HTTPException):
                self._failed_checks += 1
            self._stop.wait(CHECK_SECONDS)

    def _count_doubled_ads(self, client: GatewayClient) -> None:
        """Asks for all the ads there may be, with new items among those that are ranked besides."""
        latest = [item.item_id for item in self.items if item.status == 202][-MAX_ALSO_RANKED:]
        answer = client.post("/v1/recommend", {**self.user, "k": MAX_ADS, "also_rank": latest})
        if answer.status != 200:
            self._failed_checks += 1
            return
        found = [ad["item_id"] for ad in answer.body["ads"]]
        self._lists_of_ads += 1
        self._doubled += len(found) - len(set(found))

    def _waiting(self, items: Sequence[NewItem]) -> list[NewItem]:
        taken = [item for item in items if item.status == 202 and item.usable_at is None]
        return [item for item in taken if item.item_id not in self._ignored]

    def _scored(self, client: GatewayClient, items: Sequence[NewItem]) -> list[NewItem]:
        """Those that ranking gave a score, with the vectors of their own picture and title."""
        if not items:
            return []
        body = {**self.user, "k": 1, "explain": True, "also_rank": [item.item_id for item in items]}
        answer = client.post("/v1/recommend", body)
        if answer.status != 200 or answer.body["degraded"]:
            self._failed_checks += 1
            return []
        scored = {
            ad["item_id"]
            for ad in answer.body["ads"]
            if ad["score"] is not None and all(source == "index" for source in ad["why"]["content"].values())
        }
        return [item for item in items if item.item_id in scored]

    def _is_found(self, client: GatewayClient, item: NewItem) -> bool:
        """Whether a search brings it: by its picture, or by its title, turn by turn."""
        picture = {"image": base64.b64encode(item.image).decode()}
        query = picture if self._numbers[item.item_id] % 2 else {"text": item.title}
        answer = client.post("/v1/similar", {**query, "k": NUM_SIMILAR})
        if answer.status != 200:
            self._failed_checks += 1
            return False
        found = [each["item_id"] for each in answer.body["items"]]
        self._doubled += len(found) - len(set(found))
        return item.item_id in found


def read_contents(logs: Path) -> list[tuple[bytes, str]]:
    """Pictures and titles of a catalog's items that have both."""
    table = pq.ParquetDataset(sorted((logs / "catalog").glob("*.parquet"))).read(["image", "title"])
    columns = table["image"].to_pylist(), table["title"].to_pylist()
    return [(image, title) for image, title in zip(*columns, strict=True) if image and title]


def make_items(prefix: str, contents: Sequence[tuple[bytes, str]], count: int) -> list[NewItem]:
    """New items with the pictures and titles of others."""
    return [NewItem(f"{prefix}_{number}", *contents[number % len(contents)]) for number in range(count)]
