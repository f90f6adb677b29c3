import numpy as np
import pytest

from pipeline.experiment.held_out_clicks import HeldOutClicks
from pipeline.experiment.measured import Measured, gains, gauc_gain, spreads


def test_spreads_and_gains_by_hand(
    clicks: HeldOutClicks, weak: list[np.ndarray], strong: list[np.ndarray]
) -> None:
    base, better = ([Measured.of(clicks, one) for one in each] for each in (weak, strong))
    # GAUC 0.7 and 0.6: each 0.05 from 0.65, so that the variance is 2 * 0.0025.
    assert spreads(base)["gauc"]["mean"] == pytest.approx(0.65)
    assert spreads(base)["gauc"]["std"] == pytest.approx(0.0707107, abs=1e-6)
    assert list(spreads(base, ["logloss"])) == ["logloss"]

    found = gains(better, base)
    # 1 - 0.7 and 1 - 0.6; t of one degree of freedom is 12.7062: 12.7062 * 0.0707107 / sqrt(2) = 0.63531.
    assert found["gauc"]["values"] == pytest.approx([0.3, 0.4])
    assert found["gauc"]["high"] == pytest.approx(0.35 + 0.63531, abs=1e-5)
    # User 0 gains 0.5 and 0, user 1 0 and 1: on average 0.25 and 0.5, the bounds where one of them is drawn alone.
    assert found["gauc"]["users"] == {"low": pytest.approx(0.25), "high": pytest.approx(0.5)}
    assert found["auc"]["values"] == pytest.approx([0.5, 0.5])
    assert "users" not in found["auc"]
    assert found["logloss"]["mean"] < 0
    assert gauc_gain(better, base) == {"gauc": found["gauc"]}


def test_where_gauc_is_not_defined(clicks: HeldOutClicks, weak: list[np.ndarray]) -> None:
    base = [Measured.of(clicks, one) for one in weak]
    broken = [base[0], Measured.of(clicks, np.full(6, np.nan, np.float32))]
    found = gains(broken, base)["gauc"]
    assert (found["mean"], found["users"]) == (None, None)
