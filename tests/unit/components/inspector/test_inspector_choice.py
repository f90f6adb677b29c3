"""Which impressions are picked, by hand."""

import numpy as np

from components.inspector.choice import Pick, pick_impressions
from transforms.item_stats import NEW_ITEM_GROUP


def columns_of(rows):
    """Of (clicked, is new, behaviors) by impression, each of a user and an item of its own."""
    return {
        "user_id": np.array([f"u{place}".encode() for place in range(len(rows))], object),
        "item_id": np.array([f"i{place}".encode() for place in range(len(rows))], object),
        "clicked": np.array([clicked for clicked, _, _ in rows]),
        "item_frequency_group": np.array([NEW_ITEM_GROUP if is_new else 3 for _, is_new, _ in rows]),
        "behaviors": np.array([behaviors for _, _, behaviors in rows]),
    }


ROWS = [
    (1, False, 9),  # 0: raised by 0.3
    (1, False, 9),  # 1: raised by 0.4
    (1, True, 9),  # 2: raised by 0.1
    (0, True, 9),  # 3: lowered by 0.2
    (0, False, 9),  # 4: lowered by 0.1
    (0, False, 9),  # 5: raised by 0.2
    (1, False, 9),  # 6: lowered by 0.5
]
CHANGE = np.array([0.3, 0.4, 0.1, -0.2, -0.1, 0.2, -0.5])


def test_kinds_take_turns():
    picks = pick_impressions(columns_of(ROWS), CHANGE, 4, seed=0)
    # Raised and clicked: 2 is new, so it comes first though others were raised more. Lowered and not clicked:
    # begins with one that is not new, 4. Raised, not clicked: 5. Lowered, clicked: 6.
    assert picks == [Pick(2, "raised"), Pick(4, "lowered"), Pick(5, "raised"), Pick(6, "lowered")]


def test_the_second_round_alternates_new_and_others():
    picks = pick_impressions(columns_of(ROWS), CHANGE, 7, seed=0)
    # The fifth is any of the three that are left: 0, 1, 3. Then 1 (raised most of what is not new) and 3,
    # the new one that was lowered, as far as chance has not taken them.
    assert picks[4].reason == "random"
    assert {pick.place for pick in picks} == set(range(7))
    rest = [place for place in (1, 3, 0) if place != picks[4].place]
    assert [pick.place for pick in picks[5:]] == rest


def test_no_user_and_no_item_twice():
    columns = columns_of(ROWS)
    columns["user_id"][4] = columns["user_id"][2]  # 4 is of the user of 2
    columns["item_id"][6] = columns["item_id"][5]  # 6 is of the item of 5
    picks = pick_impressions(columns, CHANGE, 7, seed=1)
    assert [pick.place for pick in picks[:3]] == [2, 3, 5]
    assert not {pick.place for pick in picks} & {4, 6}
    assert len(picks) == 5


def test_few_behaviors_only_where_nobody_has_more():
    rows = [(clicked, is_new, 4 if place < 6 else 5) for place, (clicked, is_new, _) in enumerate(ROWS)]
    assert pick_impressions(columns_of(rows), CHANGE, 7, seed=0) == [Pick(6, "lowered")]
    rows = [(clicked, is_new, 0) for clicked, is_new, _ in ROWS]
    assert len(pick_impressions(columns_of(rows), CHANGE, 7, seed=0)) == 7


def test_unchanged_predictions_are_picked_at_random():
    columns = columns_of([(0, False, 9)] * 100)
    picks = [pick_impressions(columns, np.zeros(100), 5, seed) for seed in (3, 3, 4)]
    assert {pick.reason for pick in picks[0]} == {"random"}
    assert len({pick.place for pick in picks[0]}) == 5
    assert picks[0] == picks[1] != picks[2]


def test_what_is_not_finite_is_never_picked():
    change = np.where(np.arange(7) == 6, CHANGE, np.nan)
    assert pick_impressions(columns_of(ROWS), change, 7, seed=0) == [Pick(6, "lowered")]


def test_nothing_to_pick_from():
    assert pick_impressions(columns_of([]), np.empty(0), 8, seed=0) == []
    assert pick_impressions(columns_of(ROWS), CHANGE, 0, seed=0) == []
