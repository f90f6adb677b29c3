"""What every queue does, whatever keeps it."""

import threading
import time
from collections import Counter

import pytest

from serving.item_queue.errors import QueueFull
from serving.item_queue.new_item import NewItem

LEASE = 60.0


def item(item_id: str, title: str | None = "red shoe", image: bytes | None = b"\x00\xff\x89") -> NewItem:
    return NewItem(item_id, image, title, "shoes", "shop 1", 1_700_000_000.125)


def ids(claims):
    return [claim.item.item_id for claim in claims]


def test_an_item_comes_out_as_it_went_in(queue):
    given = [item("a"), item("ü\n€", title=None), item("c", image=None), item("d", title="", image=b"")]
    for each in given:
        queue.put(each)
    claims = queue.claim("w", 10, LEASE)
    assert [claim.item for claim in claims] == given
    assert [claim.attempts for claim in claims] == [1, 1, 1, 1]
    assert len({claim.id for claim in claims}) == 4
    assert [claim.last_reason for claim in claims] == [None] * 4


def test_the_longest_waiting_come_first_and_once(queue):
    for name in "abc":
        queue.put(item(name))
    assert ids(queue.claim("w", 2, LEASE)) == ["a", "b"]
    assert ids(queue.claim("v", 2, LEASE)) == ["c"]
    assert queue.claim("v", 2, LEASE) == []
    assert queue.waiting() == 3


def test_what_is_acknowledged_is_gone(queue):
    for name in "abc":
        queue.put(item(name))
    claims = queue.claim("w", 3, LEASE)
    assert queue.acknowledge(claims[:2]) == claims[:2]
    assert queue.waiting() == 1
    assert queue.acknowledge(claims) == claims[2:]
    assert (queue.waiting(), queue.oldest_seconds(), queue.claim("w", 9, 0.001)) == (0, 0.0, [])


def test_another_process_finds_everything(open_queue):
    first = open_queue()
    first.put(item("a"))
    first.put(item("b"))
    claim = first.claim("w", 1, LEASE)
    first.close()
    second = open_queue()
    assert ids(second.claim("v", 9, LEASE)) == ["b"]
    assert second.acknowledge(claim) == claim


def test_a_newer_content_takes_the_place_of_one_that_waits(queue):
    for name in "ab":
        queue.put(item(name, title="old"))
    queue.put(item("a", title="new"))
    assert queue.waiting() == 2
    claims = queue.claim("w", 9, LEASE)
    assert [(claim.item.item_id, claim.item.title) for claim in claims] == [("a", "new"), ("b", "old")]
    queue.acknowledge(claims)
    assert queue.waiting() == 0


@pytest.mark.parametrize("end", ["acknowledge", "bury", "retry"])
def test_a_newer_content_waits_for_the_end_of_the_older_ones_claim(queue, end):
    queue.put(item("a", title="old"))
    (older,) = queue.claim("w", 1, LEASE)
    queue.put(item("a", title="new"))
    assert queue.claim("v", 1, LEASE) == []  # No two workers have one item.
    assert queue.waiting() == 1
    if end == "acknowledge":
        assert queue.acknowledge([older]) == [older]
    elif end == "bury":
        assert queue.bury(older, "broken")
    else:
        assert queue.retry(older, 3600, "later")  # The newer content has no reason to wait.
    (newer,) = queue.claim("v", 1, LEASE)
    assert (newer.item.title, newer.attempts, newer.last_reason) == ("new", 1, None)
    assert newer.sequence > older.sequence
    assert queue.acknowledge([older]) == []  # It has no say any more.
    assert queue.acknowledge([newer]) == [newer]
    assert queue.waiting() == 0


def test_a_lease_that_ran_out_is_claimed_again_and_its_holder_has_lost_it(queue):
    queue.put(item("a"))
    (first,) = queue.claim("w", 1, 0.2)
    assert queue.claim("v", 1, 0.2) == []
    time.sleep(0.25)
    (second,) = queue.claim("v", 1, 0.2)
    assert (second.item, second.attempts) == (first.item, 2)
    assert queue.renew([first]) == queue.acknowledge([first]) == []
    assert not queue.retry(first, 0, "late") and not queue.bury(first, "late")
    assert (queue.waiting(), queue.dead(9)) == (1, [])
    assert queue.acknowledge([second]) == [second]


def test_a_worker_that_claims_its_own_lost_item_again_holds_the_new_claim_alone(queue):
    queue.put(item("a"))
    (first,) = queue.claim("w", 1, 0.05)
    time.sleep(0.1)
    (second,) = queue.claim("w", 1, 0.05)
    assert queue.renew([first]) == []
    assert queue.renew([second]) == [second]


def test_an_expired_claim_that_nobody_took_may_still_be_settled(queue):
    queue.put(item("a"))
    claims = queue.claim("w", 1, 0.05)
    time.sleep(0.1)
    assert queue.acknowledge(claims) == claims
    assert queue.claim("v", 1, 0.05) == []


def test_renewing_keeps_a_claim(queue):
    for name in "ab":
        queue.put(item(name))
    kept, dropped = queue.claim("w", 2, 0.3)
    for _ in range(4):
        time.sleep(0.1)
        assert queue.renew([kept]) == [kept]
    assert ids(queue.claim("v", 9, 0.3)) == ["b"]
    assert queue.acknowledge([dropped, kept]) == [kept]


def test_a_retry_comes_after_its_delay_with_its_reason(queue):
    for name in "ab":
        queue.put(item(name))
    first = queue.claim("w", 1, LEASE)[0]
    assert queue.retry(first, 0.2, "encoder away")
    assert ids(queue.claim("w", 9, LEASE)) == ["b"]
    assert queue.waiting() == 2
    time.sleep(0.25)
    (again,) = queue.claim("v", 9, LEASE)
    assert (again.item.item_id, again.attempts, again.last_reason) == ("a", 2, "encoder away")
    assert not queue.retry(first, 0, "too late")


def test_a_newer_content_does_not_wait_for_the_delay_of_the_older(queue):
    queue.put(item("a", title="old"))
    queue.retry(queue.claim("w", 1, LEASE)[0], 3600, "encoder away")
    assert queue.claim("w", 1, LEASE) == []
    queue.put(item("a", title="new"))
    (claim,) = queue.claim("w", 1, LEASE)
    assert (claim.item.title, claim.attempts, claim.last_reason) == ("new", 1, None)


def test_what_is_buried_is_a_dead_letter(queue):
    before = time.time()
    for name in "ab":
        queue.put(item(name))
    first, second = queue.claim("w", 2, LEASE)
    assert queue.bury(first, "unreadable_image")
    assert not queue.bury(first, "twice")
    assert queue.bury(second, "x" * 10_000)
    newest, oldest = queue.dead(9)
    assert (oldest.item_id, oldest.reason, oldest.attempts) == ("a", "unreadable_image", 1)
    assert oldest.introduced_at == first.item.introduced_at
    assert before - 1 <= oldest.buried_at <= time.time() + 1
    assert (newest.item_id, newest.reason) == ("b", "x" * 500)
    assert queue.dead(1) == [newest]
    assert queue.dead(0) == []
    assert queue.waiting() == 0
    queue.put(item("a"))  # A better one may come.
    assert ids(queue.claim("w", 1, LEASE)) == ["a"]


def test_the_latest_dead_letters_are_kept(open_queue):
    queue = open_queue(max_dead=2)
    for name in "abc":
        queue.put(item(name))
        queue.bury(queue.claim("w", 1, LEASE)[0], "bad")
    assert [letter.item_id for letter in queue.dead(9)] == ["c", "b"]


def test_a_full_queue_takes_changes_alone_and_takes_items_again_when_there_is_room(open_queue):
    queue = open_queue(max_items=2)
    queue.put(item("a"))
    queue.put(item("b"))
    with pytest.raises(QueueFull, match="2 items"):
        queue.put(item("c"))
    queue.put(item("a", title="new"))
    claims = queue.claim("w", 9, LEASE)
    assert [claim.item.title for claim in claims] == ["new", "red shoe"]
    with pytest.raises(QueueFull):
        queue.put(item("c"))  # What is in work counts.
    queue.acknowledge(claims[:1])
    queue.put(item("c"))
    assert ids(queue.claim("w", 9, LEASE)) == ["c"]


def test_bytes_are_bounded_and_what_is_settled_makes_room(open_queue):
    queue = open_queue(max_bytes=2_000_000)
    stored = 0
    with pytest.raises(QueueFull):
        for number in range(30):
            queue.put(item(str(number), image=bytes(150_000)))
            stored += 1
    assert stored == 13  # 13 x (150,000 + 8 of the title) is below 2,000,000, 14 x is above.
    for _ in range(3):
        claims = queue.claim("w", 100, LEASE)
        assert len(claims) == stored
        for claim in claims[:5]:
            assert queue.bury(claim, "bad" * 100)
        assert len(queue.acknowledge(claims[5:])) == stored - 5
        assert queue.waiting() == 0
        for number in range(stored):
            queue.put(item(str(number), image=bytes(150_000)))


def test_a_claim_is_bounded_in_bytes(open_queue):
    queue = open_queue(max_claim_bytes=250)
    for name in "abcd":
        queue.put(item(name, title=None, image=bytes(100)))
    # 100 + 100 are not more than 250; with the third they are, and no fourth is taken.
    assert ids(queue.claim("w", 9, LEASE)) == ["a", "b", "c"]
    assert ids(queue.claim("w", 9, LEASE)) == ["d"]


def test_expired_claims_are_bounded_in_bytes_too(open_queue):
    queue = open_queue(max_claim_bytes=250)
    for name in "abcd":
        queue.put(item(name, title=None, image=bytes(100)))
    queue.claim("w", 9, LEASE)
    queue.claim("w", 9, LEASE)
    time.sleep(0.1)
    assert ids(queue.claim("v", 9, 0.05)) == ["a", "b", "c"]


def test_one_large_item_is_claimed(open_queue):
    queue = open_queue(max_claim_bytes=250)
    queue.put(item("large", image=bytes(100_000)))
    assert ids(queue.claim("w", 9, LEASE)) == ["large"]


def test_the_oldest_is_told(queue):
    queue.put(item("a"))
    time.sleep(0.2)
    queue.put(item("b"))
    assert 0.2 <= queue.oldest_seconds() < 5
    queue.acknowledge(queue.claim("w", 1, LEASE))
    assert 0 <= queue.oldest_seconds() < 0.2


def test_a_settled_older_content_no_longer_counts_as_the_oldest(queue):
    queue.put(item("a", title="old"))
    claims = queue.claim("w", 1, LEASE)
    time.sleep(0.2)
    queue.put(item("a", title="new"))
    queue.acknowledge(claims)
    assert 0 <= queue.oldest_seconds() < 0.2


def test_many_threads_lose_nothing_and_double_nothing(open_queue):
    queue, total = open_queue(), 200
    settled: Counter[str] = Counter()
    lock = threading.Lock()

    def produce(start: int) -> None:
        for number in range(start, total, 2):
            queue.put(item(str(number), image=None))

    def work(name: str) -> None:
        deadline = time.monotonic() + 30
        while sum(settled.values()) < total and time.monotonic() < deadline:
            done = queue.acknowledge(queue.claim(name, 7, LEASE))
            with lock:
                settled.update(ids(done))

    threads = [threading.Thread(target=produce, args=(start,)) for start in (0, 1)]
    threads += [threading.Thread(target=work, args=(f"w{number}",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert settled == Counter({str(number): 1 for number in range(total)})
    assert queue.waiting() == 0
