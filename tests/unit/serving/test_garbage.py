"""What the collector still sees of a server."""

import gc
import weakref

from serving.garbage import keep_for_good


class Node:
    """An object that may be in a cycle."""

    other: "Node"


def make_cycle() -> weakref.ref:
    first, second = Node(), Node()
    first.other, second.other = second, first
    return weakref.ref(first)


def test_what_is_there_is_left_alone_and_what_comes_later_is_collected() -> None:
    kept = Node()
    kept.other = kept
    reference = weakref.ref(kept)
    before = make_cycle()
    try:
        keep_for_good()
        # Garbage is not kept.
        assert before() is None
        del kept
        later = make_cycle()
        gc.collect()
        assert later() is None and reference() is not None
    finally:
        gc.unfreeze()
    gc.collect()
    assert reference() is None
