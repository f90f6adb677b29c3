import numpy as np

from transforms.item_stats import frequency_groups


def test_eight_items_fall_into_eight_groups() -> None:
    # Sorted by count: 1, 2, 3, 5, 8, 13, 21, 34; each is a group of its own.
    counts = np.array([34, 1, 2, 3, 5, 8, 13, 21])
    assert frequency_groups(counts).tolist() == [8, 1, 2, 3, 4, 5, 6, 7]


def test_unseen_items_are_group_nine_and_count_for_no_other() -> None:
    # Two seen items: ranks 0 and 1 of 2, so the groups 1 + 0·8/2 = 1 and 1 + 1·8/2 = 5.
    assert frequency_groups(np.array([0, 7, 0, 4])).tolist() == [9, 5, 9, 1]


def test_items_of_equal_counts_are_divided_in_their_order() -> None:
    # Sixteen equal counts: two items in each group, in order.
    wanted = [group for group in range(1, 9) for _ in range(2)]
    assert frequency_groups(np.full(16, 3)).tolist() == wanted


def test_nothing_seen() -> None:
    assert frequency_groups(np.zeros(3, np.int64)).tolist() == [9, 9, 9]
    assert frequency_groups(np.zeros(0, np.int64)).tolist() == []
