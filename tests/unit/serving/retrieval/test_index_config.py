"""What the index's configuration refuses."""

import os

import pytest

from serving.retrieval.config import IndexConfig
from transforms.input_error import InputError


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("min_recall", 0.0),
        ("min_recall", 1.01),
        ("min_recall", float("nan")),
        ("recall_at", 0),
        ("num_recall_queries", 0),
        ("max_added_items", -1),
        ("exact_below", -1),
        ("seed", -1),
        ("num_threads", 0),
    ],
)
def test_refuses(name, value):
    with pytest.raises(InputError, match=rf"index\.{name} must be .*, got {value}"):
        IndexConfig(**{name: value})


def test_threads_are_those_asked_for_or_all():
    assert IndexConfig(num_threads=3).threads() == 3
    assert IndexConfig().threads() == len(os.sched_getaffinity(0))
