import itertools

import numpy as np

from transforms.behaviors import last_behaviors


def as_lists(offsets: np.ndarray, items: np.ndarray) -> list[list[int]]:
    return [list(items[start:end]) for start, end in itertools.pairwise(offsets)]


def find(events: list[tuple[int, int, int]], rows: list[tuple[int, int]], most: int) -> list[list[int]]:
    columns = tuple(
        np.array(column, dtype=np.int64) for column in (zip(*events, strict=True) if events else ([],) * 3)
    )
    return as_lists(
        *last_behaviors(
            columns, tuple(np.array(column, np.int64) for column in zip(*rows, strict=True)), most
        )
    )


def test_keeps_the_last_events_strictly_before_the_row() -> None:
    # User 0 did something with item 10 at 1, 20 at 5, 30 at 5, 40 at 9.
    events = [(0, 1, 10), (0, 5, 20), (0, 5, 30), (0, 9, 40)]
    # At 5 only what came before 5 counts, so 10 alone; at 6 also 20 and 30; at 10 the last two of four.
    assert find(events, [(0, 5), (0, 6), (0, 10), (0, 1)], 2) == [[10], [20, 30], [30, 40], []]


def test_users_do_not_mix() -> None:
    # User 1 has nothing before 3 and user 2 nothing at all, whatever user 0 did just before.
    events = [(0, 1, 10), (0, 2, 20), (1, 3, 30)]
    assert find(events, [(1, 3), (1, 4), (2, 9), (0, 9)], 5) == [[], [30], [], [10, 20]]


def test_events_out_of_order_are_sorted_and_ties_keep_their_order() -> None:
    events = [(0, 7, 3), (0, 2, 1), (0, 7, 2)]
    assert find(events, [(0, 8)], 3) == [[1, 3, 2]]


def test_times_before_1970_and_far_apart() -> None:
    far = 2**62
    assert find([(0, -far, 1), (0, far, 2)], [(0, 0), (0, far), (3, far)], 9) == [[1], [1], []]


def test_no_events() -> None:
    assert find([], [(0, 0), (1, 5)], 3) == [[], []]
