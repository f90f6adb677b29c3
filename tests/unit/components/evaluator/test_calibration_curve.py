import numpy as np
import pytest

from components.evaluator.calibration_curve import calibration_curve


def test_points_are_means_of_equal_numbers_by_rising_prediction() -> None:
    # 40 impressions with predictions 0.39, 0.38, …, 0: twenty points of two; the lowest two predictions, 0 and
    # 0.01, are those of the last two impressions, of which one was clicked.
    predictions = np.arange(39, -1, -1) / 100
    labels = np.zeros(40)
    labels[[0, 39]] = 1
    curve = calibration_curve(labels, predictions)
    assert curve.shape == (20, 3)
    assert curve[0] == pytest.approx([0.005, 0.5, 2])
    assert curve[1] == pytest.approx([0.025, 0, 2])
    assert curve[-1] == pytest.approx([0.385, 0.5, 2])


def test_fewer_impressions_than_points() -> None:
    curve = calibration_curve(np.array([1.0, 0.0]), np.array([0.9, 0.2]))
    assert curve.tolist() == [[0.2, 0, 1], [0.9, 1, 1]]


def test_no_impressions_have_no_points() -> None:
    assert calibration_curve(np.zeros(0), np.zeros(0)).shape == (0, 3)
