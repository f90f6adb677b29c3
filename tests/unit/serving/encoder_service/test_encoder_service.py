"""What becomes of items between the queue and the index."""

import io
import logging
import threading
import time

import grpc
import numpy as np
import pytest
from PIL import Image

from serving.embedding_index.errors import IndexFull
from serving.item_queue.errors import QueueUnavailable
from serving.item_queue.new_item import NewItem
from tests.support.fake_encoders import POISON, picture

RED, GREEN = picture((200, 0, 0)), picture((0, 200, 0))


def item(item_id: str, image: bytes | None = RED, title: str | None = "shoe") -> NewItem:
    return NewItem(item_id, image, title, "c", "s", time.time())


def vectors(index, modality, *item_ids):
    found = index.get(modality, item_ids)
    return [None if vector is None else vector.tolist() for vector in found]


def drain(service, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while service.queue.waiting():
        assert time.monotonic() < deadline, f"still {service.queue.waiting()} items"
        if not service.step():
            time.sleep(0.005)


class WrappedIndex:
    """An index that calls a function before each put."""

    def __init__(self, index, before):
        self._index, self._before = index, before

    def put(self, version, modality, vectors, announce):
        self._before(modality)
        self._index.put(version, modality, vectors, announce=announce)

    def __getattr__(self, name):
        return getattr(self._index, name)


def test_items_get_the_vectors_of_their_pictures_and_titles(service, queue, index):
    queue.put(item("a"))
    queue.put(item("b", GREEN, "long boot"))
    assert service.step() == 2
    # [red, green, blue, version]; [bytes, first byte, version]: "s" is 115, "l" is 108.
    assert vectors(index, "image", "a", "b") == [[200, 0, 0, 1], [0, 200, 0, 1]]
    assert vectors(index, "text", "a", "b") == [[4, 115, 1], [9, 108, 1]]
    assert (queue.waiting(), service.step()) == (0, 0)


def test_what_it_writes_is_announced(service, queue, index):
    queue.put(item("a"))
    service.step()
    queue.put(item("b", image=None))
    service.step()
    for modality in ("image", "text"):
        changes = index.changes(modality, "1", 0, 10)
        assert [change.item_id for change in changes] == ["a", "b"]


def test_an_item_without_content_is_known_and_has_no_vector(service, queue, index):
    queue.put(item("a", image=None))
    queue.put(item("b", title=" "))
    queue.put(item("c"))
    service.step()
    assert vectors(index, "image", "a", "b", "c") == [None, [200, 0, 0, 1], [200, 0, 0, 1]]
    assert vectors(index, "text", "a", "b", "c") == [[4, 115, 1], None, [4, 115, 1]]
    assert index.known("1", "image", ["a"]) == index.known("1", "text", ["b"]) == [True]


def test_a_batch_without_a_single_picture_is_known_too(service, queue, index):
    queue.put(item("a", image=None))
    service.step()
    assert index.known("1", "image", ["a"]) == [True]
    assert service.metrics.status()["claims"]["usable"] == 1


def test_a_changed_item_loses_what_it_no_longer_has(service, queue, index):
    queue.put(item("a"))
    service.step()
    queue.put(item("a", image=None, title="new title"))
    service.step()
    assert vectors(index, "image", "a") == [None]
    assert vectors(index, "text", "a") == [[9, 110, 1]]


def test_every_tenth_picture_is_corrupt_and_the_others_pass(service, queue, index):
    """Corrupt in turn: no picture at all, cut off, and one that only the encoder refuses."""
    corrupt = [b"no picture", RED[:40], picture(POISON)]
    bad = {f"i{number}" for number in range(0, 100, 10)}
    for number in range(100):
        image = corrupt[number // 10 % 3] if number % 10 == 0 else RED
        queue.put(item(f"i{number}", image))
    drain(service)
    letters = {letter.item_id: letter.reason for letter in queue.dead(100)}
    assert set(letters) == bad
    assert {letters["i0"], letters["i10"]} == {"unreadable_image"}
    assert letters["i20"].startswith("undecodable_image: INVALID_ARGUMENT: image_encoder: poison")
    good = [f"i{number}" for number in range(100) if f"i{number}" not in bad]
    assert vectors(index, "image", *good) == [[200, 0, 0, 1]] * 90
    assert index.known("1", "image", sorted(bad)) == [False] * 10
    claims = service.metrics.status()["claims"]
    assert (claims["usable"], claims["buried"], claims["retried"], claims["lost"]) == (90, 10, 0, 0)


def test_a_refused_title_buries_its_item_too(service, queue):
    queue.put(item("a", title="poison"))
    queue.put(item("b", title="nan"))
    queue.put(item("c"))
    service.step()
    reasons = {letter.item_id: letter.reason for letter in queue.dead(9)}
    assert reasons.keys() == {"a", "b"}
    assert reasons["a"].startswith("unreadable_text: INVALID_ARGUMENT")
    assert reasons["b"] == "text: not_finite"
    assert service.metrics.status()["coverage"] == pytest.approx(1 / 3)


def test_pictures_take_the_form_and_the_bounds_of_the_logs(make_service, queue, index):
    turned = io.BytesIO()
    sides = Image.new("RGB", (16, 32), (0, 0, 250))
    exif = Image.Exif()
    exif[0x0112] = 3  # Upside down.
    sides.paste((250, 0, 0), (0, 16, 16, 32))
    sides.save(turned, "PNG", exif=exif)
    queue.put(item("turned", turned.getvalue()))
    queue.put(item("large", picture((1, 2, 3), size=101)))
    make_service(max_image_pixels=10_000).step()
    # The first pixel is red only if the encoder got the picture upright.
    assert vectors(index, "image", "turned") == [[250, 0, 0, 1]]
    assert [(letter.item_id, letter.reason) for letter in queue.dead(9)] == [("large", "oversized_image")]


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.NOT_FOUND])
def test_an_encoder_that_is_away_buries_nothing(service, encoders, queue, index, code):
    encoders.failure = code
    for number in range(5):
        queue.put(item(str(number)))
    for _ in range(30):
        service.step()
        time.sleep(0.01)
    assert (queue.waiting(), queue.dead(9)) == (5, [])
    encoders.failure = None
    drain(service)
    assert vectors(index, "image", *"01234") == [[200, 0, 0, 1]] * 5
    assert queue.dead(9) == []


def test_a_wrong_model_under_the_right_name_buries_nothing(service, encoders, queue):
    encoders.failure = grpc.StatusCode.INVALID_ARGUMENT
    queue.put(item("a"))
    for _ in range(20):
        service.step()
        time.sleep(0.01)
    assert (queue.waiting(), queue.dead(9)) == (1, [])


def test_a_call_that_takes_too_long_is_tried_with_fewer_items(service, encoders, queue):
    encoders.max_batch, encoders.large_code = 5, grpc.StatusCode.DEADLINE_EXCEEDED
    for number in range(32):
        queue.put(item(str(number)))
    for _ in range(3):
        service.step()
        time.sleep(0.05)
    assert encoders.batches == [32, 16, 8]
    drain(service)
    # Whenever a batch got through, the next is twice as large, and fails again if that is too large.
    assert max(encoders.batches[3:]) <= 8
    assert queue.dead(9) == []


def test_a_batch_that_is_too_large_for_the_server_is_cut(service, encoders, queue, index):
    encoders.max_batch = 3
    for number in range(10):
        queue.put(item(str(number)))
    assert service.step() == 10
    assert vectors(index, "text", *"0123456789") == [[4, 115, 1]] * 10
    assert service.metrics.status()["claims"]["retried"] == 0


def test_an_item_at_which_the_encoder_breaks_is_buried_after_its_last_try_alone(
    make_service, encoders, queue
):
    service = make_service(max_attempts=3)
    encoders.poison_code = grpc.StatusCode.INTERNAL
    queue.put(item("bad", picture(POISON)))
    queue.put(item("good"))
    drain(service)
    (letter,) = queue.dead(9)
    assert (letter.item_id, letter.attempts) == ("bad", 3)
    assert letter.reason == "INTERNAL: image_encoder: poison"
    assert service.metrics.status()["claims"] == {
        "usable": 1,
        "not_served": 0,
        "buried": 1,
        "retried": 2,
        "lost": 0,
    }


def test_an_index_that_is_full_loses_nothing_and_settles_nothing(make_service, queue, index):
    left = [3]

    def fail(_modality: str) -> None:
        if left[0]:
            left[0] -= 1
            raise IndexFull("no room")

    service = make_service(index=WrappedIndex(index, fail))
    queue.put(item("good"))
    queue.put(item("bad", b"no picture"))
    service.step()
    assert (queue.waiting(), queue.dead(9)) == (2, [])
    drain(service)
    assert vectors(index, "image", "good") == [[200, 0, 0, 1]]
    assert [letter.item_id for letter in queue.dead(9)] == ["bad"]
    claims = service.metrics.status()["claims"]
    assert (claims["usable"], claims["buried"], claims["lost"]) == (1, 1, 0)
    assert 4 <= claims["retried"] <= 6  # "good" three times, "bad" whenever it was in the same batch


def test_a_defect_keeps_the_others_of_the_batch_from_nothing(make_service, queue, index, caplog):
    class ChoosyIndex(WrappedIndex):
        def put(self, version, modality, vectors, announce):
            if "bad" in vectors:
                raise KeyError("a defect")
            self._index.put(version, modality, vectors, announce=announce)

    service = make_service(index=ChoosyIndex(index, None))
    for name in ("a", "bad", "b"):
        queue.put(item(name))
    service.step()
    assert vectors(index, "image", "a", "b") == [[200, 0, 0, 1]] * 2
    assert (queue.waiting(), queue.dead(9)) == (1, [])
    assert "a defect" in caplog.text  # with its traceback
    time.sleep(0.03)
    assert "KeyError: 'a defect'" in queue.claim("w", 1, 60)[0].last_reason


def test_an_item_that_a_worker_has_lost_is_not_written(make_service, queue, index, encoders):
    """The older content is encoded so slowly that another worker has the newer one in the index already."""
    fast, slow = make_service(lease_seconds=0.2), make_service(lease_seconds=0.2)
    slow.queue = DeafQueue(queue)
    queue.put(item("a", RED))

    def meanwhile(_name: str) -> None:
        encoders.before = lambda _: None
        time.sleep(0.25)
        queue.put(item("a", GREEN))
        assert fast.step() == 1

    encoders.before = meanwhile
    assert slow.step() == 1
    assert vectors(index, "image", "a") == [[0, 200, 0, 1]]
    assert slow.metrics.status()["claims"]["lost"] == 1
    assert fast.metrics.status()["claims"]["usable"] == 1
    assert queue.waiting() == 0


class DeafQueue:
    """A queue whose leases cannot be kept by the clock, as those of a process that stands still."""

    def __init__(self, queue):
        self._queue = queue

    def renew(self, claims):
        if threading.current_thread().name == "lease-keeper":
            return []
        return self._queue.renew(claims)

    def __getattr__(self, name):
        return getattr(self._queue, name)


def test_a_newer_content_that_comes_during_the_work_is_encoded_next(service, queue, index, encoders):
    queue.put(item("a", RED))

    def change(_name: str) -> None:
        encoders.before = lambda _: None
        queue.put(item("a", GREEN))

    encoders.before = change
    service.step()
    assert vectors(index, "image", "a") == [[200, 0, 0, 1]]
    assert queue.waiting() == 1
    service.step()
    assert vectors(index, "image", "a") == [[0, 200, 0, 1]]
    assert queue.waiting() == 0


def test_long_work_keeps_its_claims(make_service, queue, encoders):
    service = make_service(lease_seconds=0.6)
    encoders.delay_seconds = 0.8  # Two calls, each longer than a lease.
    begun = threading.Event()
    encoders.before = lambda _: begun.set()
    queue.put(item("a"))
    thread = threading.Thread(target=service.step)
    thread.start()
    assert begun.wait(10)
    while thread.is_alive():
        assert queue.claim("thief", 1, 0.6) == []
        time.sleep(0.02)
    thread.join()
    assert queue.waiting() == 0


def test_a_new_encoder_version_gets_its_vectors_beside_those_that_are_served(service, encoders, queue, index):
    queue.put(item("old"))
    service.step()
    encoders.versions = {"image_encoder": [1, 2], "text_encoder": [1]}
    queue.put(item("new", GREEN))
    service.step()
    assert index.served_version("image") == "1"
    assert vectors(index, "image", "old", "new") == [[200, 0, 0, 1], [0, 200, 0, 1]]
    assert index.get_version("2", "image", ["new"])[0].tolist() == [0, 200, 0, 2]
    assert index.versions("text") == ["1"]
    assert service.metrics.status()["claims"]["usable"] == 2
    index.serve("image", "2")
    encoders.versions["image_encoder"] = [2]
    queue.put(item("newer"))
    service.step()
    assert vectors(index, "image", "new", "newer") == [[0, 200, 0, 2], [200, 0, 0, 2]]
    assert index.get_version("1", "image", ["newer"]) == [None]


def test_a_picture_that_is_taken_away_leaves_all_versions(service, encoders, queue, index):
    encoders.versions["image_encoder"] = [1]
    queue.put(item("a"))
    service.step()
    encoders.versions["image_encoder"] = [1, 2]
    queue.put(item("a"))
    service.step()
    queue.put(item("a", image=None))
    service.step()
    assert index.get_version("1", "image", ["a"]) == index.get_version("2", "image", ["a"]) == [None]


def test_items_are_not_usable_where_the_served_version_s_encoder_is_gone(
    service, encoders, queue, index, caplog
):
    queue.put(item("old"))
    service.step()
    encoders.versions["image_encoder"] = [2]
    for name in ("new", "newer"):
        queue.put(item(name))
        service.step()
    assert vectors(index, "image", "new") == [None]
    assert index.get_version("2", "image", ["new"])[0].tolist() == [200, 0, 0, 2]
    status = service.metrics.status()
    assert (status["claims"]["usable"], status["claims"]["not_served"]) == (1, 2)
    assert status["coverage"] == pytest.approx(1 / 3)
    assert caplog.text.count("the index serves image version 1, which the model server does not have") == 1


def test_an_index_that_serves_vectors_from_elsewhere_is_left_alone(service, queue, index):
    index.put("a1b2", "image", {"old": np.ones(4, np.float32)})
    index.serve("image", "a1b2")
    queue.put(item("new"))
    queue.put(item("plain", image=None))
    service.step()
    assert index.served_version("image") == "a1b2"
    assert index.get_version("1", "image", ["new"])[0].tolist() == [200, 0, 0, 1]
    assert index.known("a1b2", "image", ["new", "plain"]) == [False, True]
    assert service.metrics.status()["claims"]["usable"] == 1


def test_what_the_older_encoder_alone_refuses_has_no_vector_there(
    service, encoders, queue, index, monkeypatch
):
    queue.put(item("a"))
    service.step()
    encoders.versions["image_encoder"] = [1, 2]

    def poison_of_one(data: bytes, version: int) -> list[float]:
        if data == GREEN and version == 1:
            raise ValueError("poison")
        return [0.0, 0.0, 0.0, float(version)]

    monkeypatch.setattr("tests.support.fake_encoders.image_vector", poison_of_one)
    queue.put(item("a", GREEN))
    service.step()
    assert vectors(index, "image", "a") == [None]
    assert index.get_version("2", "image", ["a"])[0].tolist() == [0, 0, 0, 2]


def test_it_stops_after_its_batch_and_gives_back_what_it_has_not_begun(service, encoders, queue, index):
    stop = threading.Event()
    for number in range(3):
        queue.put(item(str(number)))
    stop.set()
    service.step(stop)
    claims = queue.claim("other", 9, 60)
    assert [claim.item.item_id for claim in claims] == ["0", "1", "2"]
    for claim in claims:
        queue.retry(claim, 0, "put back")

    stop.clear()
    encoders.before = lambda _: stop.set()
    thread = threading.Thread(target=service.run, args=(stop,))
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert queue.waiting() == 0
    assert vectors(index, "image", *"012") == [[200, 0, 0, 1]] * 3


def test_a_queue_that_is_away_is_waited_for(service, queue, caplog):
    caplog.set_level(logging.WARNING)
    failures = [QueueUnavailable("gone")] * 3
    stop = threading.Event()

    class Flaky:
        def claim(self, *arguments):
            if failures:
                raise failures.pop()
            stop.set()
            return []

        def __getattr__(self, name):
            return getattr(queue, name)

    service.queue = Flaky()
    service.run(stop)
    assert caplog.text.count("gone") == 3


def test_the_waits_between_tries_grow_to_a_bound_and_differ(make_service, queue, encoders, monkeypatch):
    encoders.failure = grpc.StatusCode.UNAVAILABLE
    service = make_service(min_backoff_seconds=0.001, max_backoff_seconds=0.004)
    delays = []
    retry = queue.retry
    monkeypatch.setattr(
        queue, "retry", lambda claim, delay, why: delays.append(delay) or retry(claim, delay, why)
    )
    queue.put(item("a"))
    while len(delays) < 6:
        service.step()
        time.sleep(0.005)
    # The wait doubles from 1 ms to 4 ms; half of each is random.
    for delay, whole in zip(delays, [0.001, 0.002, 0.004, 0.004, 0.004, 0.004], strict=True):
        assert whole / 2 <= delay <= whole
    assert len(set(delays)) == 6
