"""A test split small enough to measure by hand, and predictions of it."""

import numpy as np
import pytest

from pipeline.experiment.held_out_clicks import HeldOutClicks

# User, clicked, group of each impression. User 2 has one class alone, and so has group 9, new items.
ROWS = [(0, True, 1), (0, False, 8), (0, False, 8), (1, True, 8), (1, False, 9), (2, False, 1)]


@pytest.fixture
def clicks() -> HeldOutClicks:
    users, clicked, groups = zip(*ROWS, strict=True)
    ids = [f"m{index}".encode() for index in range(len(ROWS))]
    return HeldOutClicks(np.array(users), np.array(clicked), np.array(groups), np.array(ids, object))


@pytest.fixture
def weak() -> list[np.ndarray]:
    """Two seeds.

    First: user 0's click (.5) beats one of .6 and .4, AUC 1/2 over 3 impressions; user 1's (.2) beats .1, AUC 1
    over 2: GAUC (1.5 + 2) / 5 = 0.7. Of the 2 * 4 pairs of all users .5 wins against .4, .1 and .3, .2 against
    .1: AUC 4 / 8.
    Second: user 0's click beats both, user 1's (.2) loses against .3: GAUC 3 / 5 = 0.6. Of all pairs .5 wins 4,
    .2 none: AUC 4 / 8.
    """
    return [
        np.array([0.5, 0.6, 0.4, 0.2, 0.1, 0.3], np.float32),
        np.array([0.5, 0.4, 0.4, 0.2, 0.3, 0.3], np.float32),
    ]


@pytest.fixture
def strong() -> list[np.ndarray]:
    """Two equal seeds in which every click beats all else: AUC and GAUC 1."""
    return [np.array([0.9, 0.1, 0.2, 0.3, 0.1, 0.2], np.float32)] * 2
