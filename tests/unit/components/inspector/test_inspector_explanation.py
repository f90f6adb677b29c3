"""Similarities, their tiers and their order, against angles worked out by hand."""

import math

import numpy as np
import pytest

from components.inspector.explanation import compare, rank_behaviors
from models.layers.sim_tier import SimTier


def at(degrees):
    return np.array([math.cos(math.radians(degrees)), math.sin(math.radians(degrees))], np.float32)


# Cosines with the ad: a 1, b 0.5, c -0.5, d -1; e has no picture. By text: b 0, e 0.5, the others unknown.
IMAGE = {"ad": at(0), "a": at(0), "b": at(60), "c": at(120), "d": at(180)}
TEXT = {"ad": at(0), "b": at(90), "e": at(300)}
BEHAVIORS = ["d", "a", "e", "b", "a", "c"]


def test_tiers_count_every_behavior():
    compared = compare("ad", BEHAVIORS, {"image": IMAGE, "text": TEXT}, SimTier(5))
    # Five tiers of width 0.4 from -1. By image d in 0, c in 1, b in 3, a twice in 4; by text b in 2, e in 3.
    assert compared == {
        "image": {"has_embedding": True, "compared": 5, "tiers": [1, 1, 0, 1, 2]},
        "text": {"has_embedding": True, "compared": 2, "tiers": [0, 0, 1, 1, 0]},
    }


def test_what_cannot_be_compared():
    without = {name: vector for name, vector in IMAGE.items() if name != "ad"}
    nothing = {"has_embedding": False, "compared": 0, "tiers": None}
    assert compare("ad", BEHAVIORS, {"image": without}, SimTier(5)) == {"image": nothing}
    assert compare("ad", ["e"], {"image": IMAGE}, SimTier(5)) == {"image": nothing | {"has_embedding": True}}
    assert compare("ad", [], {"image": IMAGE}, SimTier(5)) == {"image": nothing | {"has_embedding": True}}
    assert compare("ad", BEHAVIORS, {}, SimTier(5)) == {}


def test_most_similar_first():
    ranked = rank_behaviors("ad", BEHAVIORS, {"image": IMAGE, "text": TEXT}, 9)
    # Means over what is known: a 1, e 0.5 (text alone), b (0.5 + 0) / 2, c -0.5, d -1.
    assert [behavior["item_id"] for behavior in ranked] == ["a", "e", "b", "c", "d"]
    assert [behavior["times"] for behavior in ranked] == [2, 1, 1, 1, 1]
    assert [behavior["latest"] for behavior in ranked] == [2, 4, 3, 1, 6]
    assert ranked[1]["similarities"] == {"image": None, "text": pytest.approx(0.5, abs=1e-6)}
    assert ranked[2]["similarities"] == {"image": pytest.approx(0.5), "text": pytest.approx(0, abs=1e-6)}
    assert rank_behaviors("ad", BEHAVIORS, {"image": IMAGE, "text": TEXT}, 2) == ranked[:2]


def test_the_latest_first_where_nothing_can_be_compared():
    ranked = rank_behaviors("ad", BEHAVIORS, {}, 9)
    assert [behavior["item_id"] for behavior in ranked] == ["c", "a", "b", "e", "d"]
    assert ranked[0]["similarities"] == {}
    # Among others, what has no embedding stands last.
    ranked = rank_behaviors("ad", ["y", "x", "d"], {"image": IMAGE}, 9)
    assert [behavior["item_id"] for behavior in ranked] == ["d", "x", "y"]
