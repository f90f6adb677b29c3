"""LogLoss and calibration against numbers worked by hand."""

import math

import pytest

from models.metrics.calibration import calibration
from models.metrics.logloss import logloss


def test_logloss_of_known_bets() -> None:
    # -(ln 1/2 + ln 1/2 + ln 3/4) / 3 = (2 ln 2 + ln 4/3) / 3 = (4 ln 2 - ln 3) / 3
    assert logloss([1, 0, 0], [0.5, 0.5, 0.25]) == pytest.approx(
        (4 * math.log(2) - math.log(3)) / 3, abs=1e-15
    )


def test_logloss_of_certain_and_wrong_is_that_of_one_in_ten_million() -> None:
    # Both sides are clipped at 1e-7: -ln 1e-7 = 7 ln 10.
    assert logloss([1], [0.0]) == pytest.approx(7 * math.log(10), rel=1e-9)
    assert logloss([0], [1.0]) == pytest.approx(7 * math.log(10), rel=1e-8)


def test_logloss_of_certain_and_right_is_next_to_nothing() -> None:
    assert 0 < logloss([1, 0], [1.0, 0.0]) < 1.1e-7


def test_calibration_is_predicted_over_observed() -> None:
    # 0.9 + 0.4 + 0.2 = 1.5 promised, 2 clicks.
    assert calibration([1, 0, 1], [0.9, 0.4, 0.2]) == pytest.approx(0.75)


def test_nothing_to_measure_is_nan() -> None:
    assert math.isnan(logloss([], []))
    assert math.isnan(calibration([], []))
    assert math.isnan(calibration([0, 0], [0.1, 0.2]))


@pytest.mark.parametrize("metric", [logloss, calibration])
def test_lengths_must_agree(metric) -> None:
    with pytest.raises(ValueError, match=r"\(1,\) and \(2,\)"):
        metric([1], [0.1, 0.2])
