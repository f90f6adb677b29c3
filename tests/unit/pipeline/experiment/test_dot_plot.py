import re

from pipeline.experiment.dot_plot import DotRow, dot_plot
from pipeline.experiment.spread import spread


def numbers(page: str, pattern: str) -> list[float]:
    return [float(found) for found in re.findall(pattern, page)]


def test_dots_and_means_stand_where_their_values_are():
    page = dot_plot("T", "R", [DotRow("one", {"Acc@1": spread([0.0, 1.0])})])
    left, right, mean = (
        *numbers(page, r'<circle cx="([\d.]+)" cy="[\d.]+" r="3.5" class="first"><title>'),
        *numbers(page, r'<line x1="([\d.]+)" x2="[\d.]+" y1="[\d.]+" y2="[\d.]+" class="first mean"'),
    )
    # The axis runs from 0 to 1, so 0.5 is half-way.
    assert left < mean < right
    assert mean == (left + right) / 2
    # The deviation, sqrt(0.5) = 0.71, reaches beyond both ends, where the bar is cut.
    assert numbers(page, r'<line x1="([\d.]+)" x2="[\d.]+" [^>]*class="first band"') == [left]
    assert numbers(page, r'<line x1="[\d.]+" x2="([\d.]+)" [^>]*class="first band"') == [right]


def test_all_rows_share_one_axis():
    rows = [DotRow("low", {"Acc@1": spread([0.2])}), DotRow("high", {"Acc@1": spread([0.4])})]
    page = dot_plot("T", "R", rows)
    places = numbers(page, r'<circle cx="([\d.]+)" cy="[\d.]+" r="3.5" class="first"><title>')
    zero = numbers(page, r'<text x="([\d.]+)" y="[\d.]+" class="tick" text-anchor="middle">0<')
    assert (places[1] - zero[0]) / (places[0] - zero[0]) == 2


def test_a_figure_that_is_not_there_is_said_and_not_drawn():
    page = dot_plot("T", "R", [DotRow("<b>", {"Acc@1": spread([None]), "Acc@5": spread([0.5])})])
    assert page.count("<circle") == 1 + 2  # and the two of the legend
    assert "n/a" in page
    assert "&lt;b&gt;" in page and "<b>" not in page
