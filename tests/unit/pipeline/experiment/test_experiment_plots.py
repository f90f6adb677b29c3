"""Where the plots put what they show."""

import re
from typing import Any

import pytest

from pipeline.experiment.canvas import tick_labels
from pipeline.experiment.gain_bars import GainBar, gain_bars
from pipeline.experiment.interval_plot import IntervalRow, interval_plot
from pipeline.experiment.line_plot import Line, line_plot
from pipeline.experiment.scatter_plot import Point, scatter_plot
from pipeline.experiment.spread import spread


def numbers(page: str, pattern: str) -> list[float]:
    return [float(found) for found in re.findall(pattern, page)]


def points(page: str, kind: str) -> list[list[tuple[float, float]]]:
    found = re.findall(rf'points="([^"]*)" class="{kind}"', page)
    return [[tuple(map(float, pair.split(","))) for pair in line.split()] for line in found]  # type: ignore[misc]


def difference(mean: float | None, low: float | None = None, high: float | None = None) -> dict[str, Any]:
    return {**spread([mean]), "low": low, "high": high}


def test_ticks_tell_their_values() -> None:
    assert tick_labels([0.6225, 0.625, 0.6275]) == ["0.6225", "0.6250", "0.6275"]
    assert tick_labels([1, 2, 3]) == ["1", "2", "3"]
    assert tick_labels([-0.01, 0.0, 0.01]) == ["-0.01", "0.00", "0.01"]


def test_a_line_runs_through_the_means() -> None:
    # Means 0.5, 0.6 and 0.7 at 1, 2 and 4: equal steps up, the second twice as wide.
    figures = {1: spread([0.4, 0.6]), 2: spread([0.6, 0.6]), 4: spread([0.7, 0.7])}
    page = line_plot("T", "R", "epoch", "GAUC", [Line("one", figures)])
    band, line = points(page, "first")
    (x1, y1), (x2, y2), (x4, y4) = line
    assert y1 - y2 == pytest.approx(y2 - y4, abs=0.2)
    assert x4 - x2 == pytest.approx(2 * (x2 - x1), abs=0.2)
    # Of the second there is no spread: both edges of the band lie on the line.
    assert band[1] == band[-2] == (x2, y2)
    assert band[0][1] < y1 < band[-1][1]
    # The seeds of the first lie as far above the mean as below.
    above, below = (
        sorted(numbers(page, r'cy="([\d.]+)" r="3"'))[-3:][0],
        max(numbers(page, r'cy="([\d.]+)" r="3"')),
    )
    assert y1 < below and above <= below


def test_two_lines_share_the_axes_and_have_a_legend() -> None:
    page = line_plot(
        "T",
        "R",
        "e",
        "G",
        [Line("low", {1: spread([0.2])}), Line("high", {1: spread([0.4]), 2: spread([0.2])})],
    )
    (low,), (high, last) = points(page, "first")[1], points(page, "other")[1]
    assert high[0] == low[0] and high[1] < low[1] == last[1]
    assert ">low<" in page and ">high<" in page


def test_figures_that_are_not_there_are_left_out() -> None:
    page = line_plot("T", "R", "e", "G", [Line("<b>", {1: spread([None]), 2: spread([0.5])})])
    assert page.count('r="3"') == 1
    assert "&lt;b&gt;" in page and "<b>" not in page


def test_dots_of_a_scatter_plot() -> None:
    three = [
        Point("a", spread([0.2]), spread([0.60])),
        Point("b", spread([0.3, 0.5]), spread([0.62])),
        Point("c", spread([0.6]), spread([0.64])),
        Point("gone", spread([0.6]), spread([None])),
    ]
    page = scatter_plot("T", "R", "Acc@1", "GAUC", three, "first")
    x, y = numbers(page, r'<circle cx="([\d.]+)"'), numbers(page, r'<circle cx="[\d.]+" cy="([\d.]+)"')
    # b lies half-way between a and c on both axes.
    assert len(x) == 3
    assert x[1] == pytest.approx((x[0] + x[2]) / 2, abs=0.01) and y[1] == pytest.approx(
        (y[0] + y[2]) / 2, abs=0.01
    )
    assert x[0] < x[2] and y[0] > y[2]
    whiskers = points(page, "whisker")
    (left, _), (right, _) = whiskers[2]
    # 0.3 and 0.5 deviate by 0.141 from 0.4, and 0.2 lies 0.2 away.
    assert (x[1] - left) / (x[1] - x[0]) == pytest.approx(0.7071, abs=0.01)
    assert right - x[1] == pytest.approx(x[1] - left, abs=0.2)
    assert "<td" in page and "n/a" in page


def test_labels_do_not_cover_each_other() -> None:
    close = [Point(f"encoder {n}", spread([0.5 + n / 1000]), spread([0.6])) for n in range(3)]
    far = [Point("far", spread([0.1]), spread([0.1]))]
    page = scatter_plot("T", "R", "x", "y", [*close, *far], "first")
    places = re.findall(r'<text x="([\d.]+)" y="([\d.]+)" class="label">encoder', page)
    boxes = [(float(x), float(y)) for x, y in places]
    # A label is 9 letters wide and a line high.
    for index, (x, y) in enumerate(boxes):
        for other_x, other_y in boxes[:index]:
            assert abs(x - other_x) > 50 or abs(y - other_y) >= 11


def test_bars_stand_on_zero() -> None:
    bars = [GainBar("1", "10", difference(0.2, 0.1, 0.3)), GainBar("new", "5", difference(-0.1), is_new=True)]
    page = gain_bars("T", "R", bars)
    boxes = [
        tuple(map(float, found))
        for found in re.findall(r'<rect x="[\d.]+" y="([\d.]+)" width="[\d.]+" height="([\d.]+)"', page)
    ]
    (top, height), (new_top, new_height) = boxes
    zero = points(page, "axis")[0][0][1]
    assert top + height == pytest.approx(zero, abs=0.1) and new_top == pytest.approx(zero, abs=0.1)
    assert height == pytest.approx(2 * new_height, abs=0.1)
    stem, *ends = points(page, "whisker")
    # From half the bar's height to one and a half.
    assert (zero - stem[0][1], zero - stem[1][1]) == pytest.approx((height / 2, height * 1.5), abs=0.2)
    assert len(ends) == 2
    assert re.findall(r'class="(\w+) area-bar"', page) == ["first", "other"]


def test_a_wide_interval_does_not_press_the_bars_down() -> None:
    wide, narrow = (
        GainBar("1", "3", difference(0.02, -5.0, 5.0)),
        GainBar("8", "9", difference(0.01, 0.0, 0.02)),
    )
    page = gain_bars("T", "R", [wide, narrow])
    heights = numbers(page, r'<rect [^>]*height="([\d.]+)"')
    assert min(heights) > 10
    # Of the wide one's ends neither is drawn.
    assert len(points(page, "whisker")) == 1 + 3


def test_bars_have_a_band_over_users_behind_the_whisker() -> None:
    gain = difference(0.2, 0.1, 0.3) | {"users": {"low": -0.1, "high": 0.4}}
    beyond = difference(0.2) | {"users": {"low": -9.0, "high": 9.0}}
    page = gain_bars(
        "T", "R", [GainBar("1", "3", gain), GainBar("2", "3", beyond), GainBar("3", "3", difference(0.1))]
    )
    bands = re.findall(r'<line [^>]*y1="([\d.]+)" y2="([\d.]+)" class="users"', page)
    (low, high), (lowest, highest) = [tuple(map(float, found)) for found in bands]
    zero = points(page, "axis")[0][0][1]
    # A tenth below zero, four above; the other ends with the plot.
    assert zero - high == pytest.approx(4 * (low - zero), abs=0.2)
    assert lowest > low and highest < high and highest > 0
    assert "+20.00% [+10.00%, +30.00%], users [-10.00%, +40.00%]" in page


def test_bars_that_are_not_there() -> None:
    page = gain_bars("T", "R", [GainBar("1", "3", difference(None))])
    assert "n/a" in page and "<rect" not in page


def test_intervals_around_zero() -> None:
    gain = {**spread([0.01, 0.03]), "low": -0.02, "high": 0.06, "users": {"low": 0.0, "high": 0.04}}
    page = interval_plot("T", "R", [IntervalRow("one", gain), IntervalRow("none", difference(None))])
    zero = points(page, "axis")[0][0][0]
    line = re.search(r'<line x1="([\d.]+)" x2="([\d.]+)" [^>]*class="first interval"', page)
    band = re.search(r'<line x1="([\d.]+)" x2="([\d.]+)" [^>]*class="other band"', page)
    mean = numbers(page, r'<line x1="([\d.]+)" x2="[\d.]+" [^>]*class="first mean"')[0]
    assert line and band
    low, high, user_low, user_high = map(float, (*line.groups(), *band.groups()))
    # The mean is 0.02: as far right of zero as the low end is left of it.
    assert mean - zero == pytest.approx(zero - low, abs=0.1)
    assert high - zero == pytest.approx(3 * (mean - zero), abs=0.2)
    assert (user_low, user_high - zero) == pytest.approx((zero, 2 * (mean - zero)), abs=0.2)
    assert "n/a" in page and page.count("<circle") == 2
