import numpy as np
import pytest

from models.metrics.auc import auc
from pipeline.experiment.weighted_auc import WeightedAuc


def test_worked_out_by_hand() -> None:
    # Clicked: .5 and .2; not: .6, .2 and .1. Weights 3, 1 and 1, 2, 4. Of (3 + 1) * (1 + 2 + 4) = 28 pairs .5
    # wins 3 * (2 + 4) = 18; .2 wins 1 * 4 and half of its tie with 2: 18 + 4 + 1 = 23.
    clicked = np.array([True, False, True, False, False])
    measure = WeightedAuc(clicked, np.array([0.5, 0.6, 0.2, 0.2, 0.1]))
    # Evenly: .5 wins 2 of 3, .2 wins 1.5: 3.5 of 6.
    found = measure(np.array([[3, 1, 1, 2, 4], [1, 1, 1, 1, 1], [0, 1, 0, 1, 1], [1, 0, 1, 0, 0]]))
    assert found[:2] == pytest.approx([23 / 28, 3.5 / 6])
    assert np.isnan(found[2:]).all(), "one class alone"


def test_a_weight_is_as_many_equal_rows() -> None:
    generator = np.random.default_rng(5)
    clicked = generator.random(60) < 0.3
    scores = generator.integers(0, 8, 60) / 8  # many ties
    weights = generator.integers(0, 4, (20, 60))
    repeated = [auc(np.repeat(clicked, each), np.repeat(scores, each)) for each in weights]
    assert WeightedAuc(clicked, scores)(weights) == pytest.approx(repeated, abs=1e-12)
