import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.report.scale import Scale, nice_bounds


def test_linear_place():
    # A quarter of the way from 10 to 30 is 15, a quarter of the way from 100 to 0 is 75.
    assert Scale(10, 30, 100, 0)(15) == pytest.approx(75)


def test_log_place():
    # 10 is one of the three powers of ten between 1 and 1,000.
    assert Scale(1, 1000, 0, 300, log=True)(10) == pytest.approx(100)


def test_linear_ticks():
    assert Scale(0, 0.8, 0, 1).ticks() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8])
    assert Scale(0, 80410, 0, 1).ticks() == pytest.approx([0, 25000, 50000, 75000])


def test_ticks_at_whole_numbers():
    # Steps of 2.5 would be about four; of 3 they are whole.
    assert Scale(0, 10, 0, 1, whole=True).ticks() == pytest.approx([0, 3, 6, 9])
    assert Scale(0, 1, 0, 1, whole=True).ticks() == pytest.approx([0, 1])


def test_log_ticks():
    assert Scale(1, 2500, 0, 1, log=True).ticks() == pytest.approx([1, 10, 100, 1000])


def test_nice_bounds():
    # The span 0.254 in four steps is 0.0635 each, so steps of 0.1: 0.5 to 0.8.
    assert nice_bounds(0.5, 0.754) == pytest.approx((0.5, 0.8))
    assert nice_bounds(0.5, 0.5)[0] < 0.5 < nice_bounds(0.5, 0.5)[1]
    assert nice_bounds(0.0, 0.0)[1] > 0


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_bounds_hold_the_values_and_ticks_are_few(low, span):
    bottom, top = nice_bounds(low, low + span)
    room = 1e-6 * (abs(low) + span)
    assert bottom <= low + room and low + span <= top + room
    scale = Scale(bottom, top, 0, 100)
    assert 2 <= len(scale.ticks()) <= 8
    assert all(-1e-3 <= scale(tick) <= 100 + 1e-3 for tick in scale.ticks())
