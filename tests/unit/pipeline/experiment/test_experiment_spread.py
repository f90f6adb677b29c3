import math

import pytest

from pipeline.experiment.figures import seed_count, signed_with_spread, with_spread
from pipeline.experiment.spread import differences, spread


def test_mean_and_deviation_of_a_sample():
    found = spread([0.5, 0.7, 0.9])
    # The squared distances from 0.7 are 0.04, 0 and 0.04; over n - 1 = 2 that is 0.04, whose root is 0.2.
    assert found["mean"] == pytest.approx(0.7)
    assert found["std"] == pytest.approx(0.2)
    assert found["values"] == [0.5, 0.7, 0.9]


def test_one_seed_has_no_deviation():
    assert spread([0.25]) == {"mean": 0.25, "std": None, "values": [0.25]}


@pytest.mark.parametrize("values", [[], [None], [0.5, None, 0.5]])
def test_a_figure_that_a_seed_lacks_has_no_mean(values):
    assert spread(values) == {"mean": None, "std": None, "values": values}


def test_differences_are_taken_seed_by_seed():
    # 0.9 - 0.5 and 0.8 - 0.6: 0.4 and 0.2. Both lie 0.1 from 0.3, so the variance is 0.02 / 1. Without the
    # pairing, the deviations of (0.9, 0.8) and (0.5, 0.6) would add to sqrt(0.005 + 0.005) = 0.1.
    found = differences([0.9, 0.8], [0.5, 0.6])
    assert found["mean"] == pytest.approx(0.3)
    assert found["std"] == pytest.approx(math.sqrt(0.02))
    assert found["values"] == pytest.approx([0.4, 0.2])


def test_differences_of_what_is_not_there():
    assert differences([0.9, None], [0.5, 0.5])["mean"] is None
    with pytest.raises(ValueError, match="shorter"):
        differences([0.9, 0.8], [0.5])


def test_what_is_shown():
    assert with_spread({"mean": 0.74741, "std": 0.00209}) == "0.7474 ± 0.0021"
    assert with_spread({"mean": 0.5, "std": None}) == "0.5000"
    assert with_spread({"mean": None, "std": None}) == "n/a"
    assert signed_with_spread({"mean": 0.05, "std": 0.01}) == "+0.0500 ± 0.0100"
    assert signed_with_spread({"mean": -0.05, "std": None}) == "-0.0500"
    assert signed_with_spread({"mean": None, "std": None}) == "n/a"
    assert (seed_count(1), seed_count(3)) == ("1 seed", "3 seeds")
