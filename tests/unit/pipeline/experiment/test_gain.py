import math

import numpy as np
import pytest

from pipeline.experiment.gain import gain, relative_gain, relative_reduction


def test_the_interval_is_students() -> None:
    # 0.01, 0.02 and 0.03: mean 0.02, deviation 0.01. A table of Student's t has 4.302653 for 2 degrees of freedom
    # and two sides of 2.5 %, so the interval reaches 4.302653 * 0.01 / sqrt(3) = 0.0248414 to both sides.
    found = gain([0.61, 0.72, 0.63], [0.60, 0.70, 0.60])
    assert found["values"] == pytest.approx([0.01, 0.02, 0.03])
    assert found["mean"] == pytest.approx(0.02)
    assert found["std"] == pytest.approx(0.01)
    assert found["low"] == pytest.approx(0.02 - 0.0248414, abs=1e-7)
    assert found["high"] == pytest.approx(0.02 + 0.0248414, abs=1e-7)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    # Four seeds whose true difference is 0.5: of 2,000 trials 1,900 ± 10 should cover it.
    generator = np.random.default_rng(1)
    covered = 0
    for values in generator.normal(0.5, 2.0, (2_000, 4)):
        found = gain(values.tolist(), [0.0] * 4)
        covered += found["low"] <= 0.5 <= found["high"]
    assert covered / 2_000 == pytest.approx(0.95, abs=0.015)


def test_a_single_seed_has_no_interval() -> None:
    assert gain([0.5], [0.25]) == {"mean": 0.25, "std": None, "values": [0.25], "low": None, "high": None}


def test_what_a_seed_lacks_leaves_no_interval() -> None:
    found = gain([0.5, None], [0.25, 0.25])
    assert (found["mean"], found["low"], found["high"]) == (None, None, None)
    assert found["values"] == [0.25, None]


def test_seeds_must_be_paired() -> None:
    with pytest.raises(ValueError, match="shorter"):
        gain([0.5, 0.6], [0.5])


def test_relative_gains() -> None:
    # (0.6 - 0.5) / 0.5 = 0.2 and (0.8 - 0.5) / 0.5 = 0.6: mean 0.4, deviation sqrt(0.08).
    found = relative_gain([0.6, 0.8], [0.5, 0.5])
    assert found["values"] == pytest.approx([0.2, 0.6])
    assert found["std"] == pytest.approx(math.sqrt(0.08))
    assert relative_gain([0.6], [0.0])["mean"] is None
    assert relative_gain([None], [0.5])["mean"] is None


def test_a_smaller_loss_is_a_reduction() -> None:
    # From 0.4 to 0.3 a quarter is gone; from 0.4 to 0.5 a quarter came.
    assert relative_reduction([0.3, 0.5], [0.4, 0.4])["values"] == pytest.approx([0.25, -0.25])
    assert relative_reduction([0.3], [0.0])["mean"] is None
