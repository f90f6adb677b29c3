"""How ScaNN's parameters follow from sizes."""

import dataclasses

import pytest

from serving.retrieval.scann_parameters import ScannParameters, choose_parameters
from transforms.input_error import InputError


def parameters(**changes):
    made = ScannParameters(
        num_leaves=100,
        training_sample_size=1_000,
        dimensions_per_block=2,
        anisotropic_threshold=0.2,
        leaf_factor=2.0,
        reorder_factor=1.5,
        min_k=1,
    )
    return dataclasses.replace(made, **changes)


def test_leaves_grow_as_the_root_of_k_and_exact_scores_as_k():
    # 2 * sqrt(25) = 10 leaves, 2 * sqrt(26) = 10.2 is 11; of 100 there are no more than 100.
    assert [parameters().leaves_to_search(k) for k in (25, 26, 10_000)] == [10, 11, 100]
    # 1.5 * 3 = 4.5.
    assert parameters().num_reordered(3) == 5


def test_few_are_searched_for_as_widely_as_the_recall_was_measured():
    # 2 * sqrt(25) = 10 leaves and 1.5 * 25 = 37.5 exact scores.
    for k in (1, 24, 25):
        assert (parameters(min_k=25).leaves_to_search(k), parameters(min_k=25).num_reordered(k)) == (10, 38)
    assert parameters(min_k=25).leaves_to_search(26) == 11


def test_raised_looks_at_more_until_everything_is_looked_at():
    now, steps = parameters(), 0
    while now.can_be_raised(100):
        wider = now.raised()
        assert wider.leaves_to_search(100) > now.leaves_to_search(100) or wider.num_reordered(
            100
        ) > now.num_reordered(100)
        now, steps = wider, steps + 1
        assert steps < 100
    assert now.leaves_to_search(100) == 100
    # The partition and the codes stay as they were built.
    assert (now.num_leaves, now.dimensions_per_block) == (100, 2)


def test_leaves_of_a_catalog():
    # 2 * sqrt(10,000) = 200 and 2 * sqrt(1,000,000) = 2,000.
    assert [choose_parameters(count, 128, 100).num_leaves for count in (10_000, 1_000_000)] == [200, 2_000]
    assert choose_parameters(10_000, 1, 100).dimensions_per_block == 1


@pytest.mark.parametrize("value", [0.0, -1.0, float("inf"), float("nan")])
def test_refuses_what_a_broken_file_may_say(value):
    with pytest.raises(InputError, match="above 0 and finite"):
        parameters(leaf_factor=value)
