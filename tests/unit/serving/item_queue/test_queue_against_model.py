"""Random calls on a queue and on a plain model of it, which has to agree after each."""

import random
from dataclasses import dataclass

import pytest

from serving.item_queue.claim import Claim
from serving.item_queue.new_item import NewItem


@dataclass
class Place:
    title: str
    holder: Claim | None = None
    held_title: str = ""
    attempts: int = 0
    is_delayed: bool = False


class Model:
    """What the queue's description says, for leases that never run out."""

    def __init__(self) -> None:
        self.places: dict[str, Place] = {}
        self.dead: list[tuple[str, str]] = []

    def put(self, item: NewItem) -> None:
        place = self.places.setdefault(item.item_id, Place(""))
        place.title, place.attempts, place.is_delayed = item.title, 0, False

    def claimable(self) -> dict[str, Place]:
        return {key: place for key, place in self.places.items() if not place.holder and not place.is_delayed}

    def take(self, claim: Claim) -> None:
        place = self.claimable()[claim.item.item_id]
        place.attempts += 1
        place.holder, place.held_title = claim, place.title
        assert (claim.item.title, claim.attempts) == (place.title, place.attempts)

    def is_held(self, claim: Claim) -> bool:
        place = self.places.get(claim.item.item_id)
        return place is not None and place.holder == claim

    def settle(self, claim: Claim) -> None:
        place = self.places[claim.item.item_id]
        if place.title == place.held_title:
            del self.places[claim.item.item_id]
        else:
            place.holder = None

    def retry(self, claim: Claim, delayed: bool) -> None:
        place = self.places[claim.item.item_id]
        place.holder = None
        place.is_delayed = delayed and place.title == place.held_title


@pytest.mark.parametrize("seed", [1, 2])
def test_a_queue_does_what_its_description_says(open_queue, seed):
    rng, model, queue = random.Random(seed), Model(), open_queue()
    claims: list[Claim] = []
    for step in range(400):
        kind = rng.choices(["put", "claim", "acknowledge", "retry", "bury", "reopen"], [8, 5, 3, 3, 3, 1])[0]
        if kind == "put":
            item = NewItem(
                f"i{rng.randrange(8)}", rng.randbytes(rng.randrange(9)), f"t{step}", "c", "s", step
            )
            queue.put(item)
            model.put(item)
        elif kind == "claim":
            count, there = rng.randrange(1, 5), len(model.claimable())
            taken = queue.claim(f"w{rng.randrange(3)}", count, 3_600)
            assert len(taken) == min(count, there)
            for claim in taken:
                model.take(claim)
            claims += taken
        elif kind == "reopen":
            queue = open_queue()
        elif claims:
            some = rng.sample(claims[-8:], min(3, len(claims)))  # The older ones are mostly settled.
            held = [claim for claim in some if model.is_held(claim)]
            if kind == "acknowledge":
                assert queue.acknowledge(some) == held
                for claim in held:
                    model.settle(claim)
            elif kind == "retry":
                delayed = rng.random() < 0.5
                assert queue.retry(some[0], 3_600 if delayed else 0, "again") == model.is_held(some[0])
                if model.is_held(some[0]):
                    model.retry(some[0], delayed)
            elif queue.bury(some[0], f"r{step}"):
                assert model.is_held(some[0])
                model.settle(some[0])
                model.dead.insert(0, (some[0].item.item_id, f"r{step}"))
            else:
                assert not model.is_held(some[0])
        assert queue.renew(claims) == [claim for claim in claims if model.is_held(claim)]
        assert queue.waiting() == len(model.places)
    assert [(letter.item_id, letter.reason) for letter in queue.dead(999)] == model.dead
    assert len(model.dead) > 5 and len(claims) > 50
