import re
from html.parser import HTMLParser

import numpy as np
import pytest

from components.report import plots


class Elements(HTMLParser):
    """Collects elements with their attributes."""

    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def of(self, tag, kind=None):
        return [
            attributes
            for name, attributes in self.found
            if name == tag and (kind is None or attributes.get("class") == kind)
        ]


def group(name, auc, impressions=10):
    return {"group": name, "auc": auc, "impressions": impressions}


def points(attributes):
    return [tuple(float(number) for number in pair.split(",")) for pair in attributes["points"].split()]


def test_bars_are_as_high_as_their_metric_above_the_base():
    html = plots.group_plot([group(1, 0.6), group(2, 0.7), group("new", 0.8)], "auc", "AUC", "read", 0.5)
    elements = Elements(html)
    heights = [float(bar["height"]) for bar in [*elements.of("rect", "bar"), *elements.of("rect", "bar new")]]
    # 0.1, 0.2 and 0.3 above chance.
    assert heights[1] / heights[0] == pytest.approx(2, rel=1e-3)
    assert heights[2] / heights[0] == pytest.approx(3, rel=1e-3)


def test_bar_below_the_base_hangs_from_it():
    bars = Elements(plots.group_plot([group(1, 0.6), group(2, 0.4)], "auc", "AUC", "read", 0.5)).of("rect")
    above, below = ((float(bar["y"]), float(bar["height"])) for bar in bars)
    assert above[0] + above[1] == pytest.approx(below[0], abs=0.01)


def test_undefined_metric_has_no_bar_but_a_word():
    html = plots.group_plot([group(1, 0.6), group("new", None)], "auc", "AUC", "read", 0.5)
    assert len(Elements(html).of("rect")) == 1
    assert ">n/a<" in html


def test_all_metrics_undefined():
    html = plots.group_plot([group(1, None)], "auc", "AUC", "read", 0.5)
    assert Elements(html).of("rect") == []


def test_calibration_dots_lie_on_the_diagonal_where_both_agree():
    dots = [
        {"predicted": 0.2, "observed": 0.2, "impressions": 100},
        {"predicted": 0.6, "observed": 0.3, "impressions": 25},
    ]
    elements = Elements(plots.calibration_plot(dots))
    (x0, y0), (x1, y1) = points(elements.of("polyline", "reference")[0])
    first, second = elements.of("circle")

    def above(dot):
        on_diagonal = y0 + (float(dot["cx"]) - x0) / (x1 - x0) * (y1 - y0)
        return on_diagonal - float(dot["cy"])

    assert above(first) == pytest.approx(0, abs=0.1)
    # Predicted more than observed: below the diagonal (y grows downward).
    assert above(second) < -1
    assert float(first["r"]) > float(second["r"])


def test_calibration_leaves_out_empty_buckets():
    dots = [
        {"predicted": float("nan"), "observed": float("nan"), "impressions": 0},
        {"predicted": 0.5, "observed": 0.4, "impressions": 3},
    ]
    assert len(Elements(plots.calibration_plot(dots)).of("circle")) == 1
    assert Elements(plots.calibration_plot(dots[:1])).of("svg") == []


def test_moving_mean():
    # Width 2: 4; (4+2)/2; (2+6)/2; (6+0)/2.
    assert plots._moving_mean(np.array([4.0, 2.0, 6.0, 0.0]), 2).tolist() == [4, 3, 4, 3]


def test_training_curve_falls_and_is_bounded_in_size():
    curve = [{"step": n, "examples": n * 10, "loss": 1 - n / 10_000, "seconds": n} for n in range(1, 5001)]
    elements = Elements(plots.training_plot(curve))
    line = points(elements.of("polyline", "curve")[0])
    assert len(line) <= 300
    assert line[0][1] < line[-1][1]
    assert line[0][0] < line[-1][0]
    assert len(elements.of("tr")) <= 22


def test_training_curve_of_one_point_says_so():
    html = plots.training_plot([{"step": 1, "examples": 10, "loss": 0.7, "seconds": 1.0}])
    assert "Too few" in html
    assert Elements(html).of("svg") == []


def test_popularity_of_a_power_law_is_a_straight_line():
    # 10,000 / rank: -1 in log-log, a third of the way down at rank 10 of 1,000 items with y up to 10,000.
    impressions = (10_000 / np.arange(1, 1001)).astype(np.int64)
    html = plots.popularity_plot(impressions)
    line = points(Elements(html).of("polyline", "curve")[0])
    slopes = np.diff([y for _, y in line]) / np.diff([x for x, _ in line])
    expected = (line[-1][1] - line[0][1]) / (line[-1][0] - line[0][0])
    middle = slopes[np.diff([x for x, _ in line]) > 5]
    assert middle == pytest.approx(expected, rel=0.15)


def test_popularity_counts_head_and_rare_items():
    # 200 items: the first 2 have 300 of 300 + 198 * 5 = 1,290 impressions, 23.3%; 198 of 200 have fewer than 10.
    impressions = np.array([150, 150] + [5] * 198, np.int64)
    html = plots.popularity_plot(impressions)
    assert "23.3%" in html
    assert "99.0%" in html


@pytest.mark.parametrize("impressions", [[], [0, 0, 0], [7], [3, 3]])
def test_popularity_of_hardly_any_items(impressions):
    assert "nan" not in plots.popularity_plot(np.array(impressions, np.int64)).lower()


def test_stage_bars_are_as_long_as_their_seconds():
    stages = [
        {"name": "Transform", "seconds": 20.0, "cached": False},
        {"name": "Evaluator", "seconds": 5.0, "cached": True},
    ]
    html = plots.stage_plot(stages)
    elements = Elements(html)
    fresh, cached = elements.of("rect", "bar")[0], elements.of("rect", "bar cached")[0]
    assert float(fresh["width"]) / float(cached["width"]) == pytest.approx(4, rel=1e-3)
    assert "25.0 s in all" in html


def test_stages_of_no_length():
    html = plots.stage_plot([{"name": "Report", "seconds": 0.0, "cached": True}])
    assert not re.search(r'="[^"]*(nan|inf)', html)


def test_every_plot_has_words_and_numbers_beside_it():
    html = plots.group_plot([group(1, 0.6)], "auc", "AUC by group", "How to read", 0.5)
    elements = Elements(html)
    (drawing,) = elements.of("svg")
    assert drawing["role"] == "img"
    assert drawing["aria-label"] == "AUC by group. How to read"
    assert len(elements.of("table")) == 1


def test_accuracy_lines_end_where_the_last_evaluation_is():
    looks = [{"step": 50, "acc@1": 0.1, "acc@5": 0.4}, {"step": 200, "acc@1": 0.4, "acc@5": 0.8}]
    elements = Elements(plots.accuracy_plot(looks, "Accuracy"))
    first, fifth = points(elements.of("polyline", "curve")[0]), points(elements.of("polyline", "second")[0])
    axis = points(elements.of("polyline", "axis")[0])
    floor, left, right = axis[0][1], axis[0][0], axis[-1][0]
    # Step 50 of 200 is a quarter of the way, and 0.8 is twice as high as 0.4 and eight times as 0.1.
    assert first[0][0] == pytest.approx(left + (right - left) / 4, abs=0.1)
    assert first[1][0] == pytest.approx(right, abs=0.1)
    assert floor - fifth[1][1] == pytest.approx(2 * (floor - first[1][1]), abs=0.3)
    assert floor - fifth[1][1] == pytest.approx(8 * (floor - first[0][1]), abs=0.8)


def test_one_evaluation_is_no_curve():
    html = plots.accuracy_plot([{"step": 50, "acc@1": 0.1, "acc@5": 0.4}], "Accuracy")
    assert Elements(html).of("svg") == []
    assert "Accuracy" in html


def test_model_beside_another_one():
    others = [group(1, 0.55), group("new", None)]
    html = plots.group_plot([group(1, 0.6), group("new", 0.7)], "auc", "AUC", "read", 0.5, others)
    elements = Elements(html)
    (bar,), (beside,) = elements.of("rect", "bar"), elements.of("rect", "bar beside")
    # 0.1 and 0.05 above chance, side by side.
    assert float(bar["height"]) / float(beside["height"]) == pytest.approx(2, rel=1e-3)
    assert float(bar["x"]) + float(bar["width"]) == pytest.approx(float(beside["x"]), abs=0.01)
    assert len(elements.of("rect")) == 3
    assert "IDs alone" in html


def test_epochs_lie_evenly_with_the_last_at_the_end():
    epochs = [
        {"epoch": 1, "loss": 0.75, "logloss": 0.8},
        {"epoch": 2, "loss": 0.65, "logloss": None},
        {"epoch": 4, "loss": 0.6, "logloss": 0.7},
    ]
    html = plots.epoch_plot(epochs, {"train": "loss", "eval": "logloss"}, "loss", "MAKE: loss", "read")
    elements = Elements(html)
    train, held_out = (
        points(elements.of("polyline", "curve")[0]),
        points(elements.of("polyline", "second")[0]),
    )
    axis = points(elements.of("polyline", "axis")[0])
    left, right = axis[0][0], axis[-1][0]
    assert [x for x, _ in train] == pytest.approx(
        [left + (right - left) * share for share in (0.25, 0.5, 1)], abs=0.1
    )
    # An undefined figure is left out.
    assert len(held_out) == 2
    # 0.75 to 0.65 is two thirds of 0.75 to 0.6, downward.
    assert (train[1][1] - train[0][1]) / (train[2][1] - train[0][1]) == pytest.approx(2 / 3, abs=0.01)
    assert held_out[0][1] < train[0][1]


def test_one_epoch_and_none():
    one = plots.epoch_plot([{"epoch": 1, "auc": 0.6}], {"eval": "auc"}, "AUC", "MAKE: AUC", "read")
    assert len(Elements(one).of("circle")) == 1
    for epochs in ([], [{"epoch": 1, "auc": None}]):
        html = plots.epoch_plot(epochs, {"eval": "auc"}, "AUC", "MAKE: AUC", "read")
        assert "No epoch to show" in html and Elements(html).of("svg") == []
