"""Figure 6b from predictions to rows, to the terminal and to the page."""

import math
from typing import Any

import numpy as np
import pytest
from rich import box

from pipeline.experiment.groups.rows import findings, make_rows
from pipeline.experiment.groups.views import section, tables
from pipeline.experiment.held_out_clicks import HeldOutClicks
from pipeline.experiment.rows import Rows
from pipeline.experiment.spread import spread


@pytest.fixture
def rows(clicks: HeldOutClicks, weak: list[np.ndarray]) -> Rows:
    # Group 1: .5 clicked, .3 not; then .5 and .25. Group 8: .2 clicked, .6 and .4 not, or .4 and .4.
    better = np.array([0.5, 0.6, 0.1, 0.2, 0.1, 0.25], np.float32)
    return make_rows(weak, [better] * 2, clicks)


def test_figures_by_group(rows: Rows) -> None:
    assert [(row["group"], row["impressions"]) for row in rows] == [(1, 2), (8, 3), ("new", 1)]
    rare, often, new = rows
    assert rare["id"]["auc"]["values"] == [1.0, 1.0]
    assert rare["auc_improvement"]["values"] == [0.0, 0.0]
    before, after = -math.log(0.5) - math.log(0.7), -math.log(0.5) - math.log(0.75)
    assert rare["id"]["logloss"]["mean"] == pytest.approx(before / 2)
    assert rare["logloss_improvement"]["values"] == pytest.approx([(before - after) / before] * 2)
    # With content .2 beats .1 and not .6; without, neither: nothing to relate 0.5 to.
    assert often["simtier_make"]["auc"]["values"] == [0.5, 0.5]
    assert often["auc_improvement"]["mean"] is None
    # .1 instead of .1, then instead of .3, of what was not clicked.
    assert new["auc_improvement"]["mean"] is None
    first, second = -math.log(0.9), -math.log(0.7)
    assert new["logloss_improvement"]["values"] == pytest.approx([0, (second - first) / second])


def improvement(*values: float | None) -> dict[str, Any]:
    found = spread(values)
    return {**found, "low": found["mean"], "high": found["mean"]}


def made(*groups: tuple[int | str, int, tuple[float | None, float | None]]) -> Rows:
    figures = {"auc": spread([0.5, 0.5]), "logloss": spread([0.4, 0.4])}
    return [
        {
            "group": group,
            "impressions": impressions,
            "id": figures,
            "simtier_make": figures,
            "auc_improvement": improvement(*values),
            "logloss_improvement": improvement(*(None if value is None else -value for value in values)),
        }
        for group, impressions, values in groups
    ]


def test_rare_items_are_weighed_by_their_impressions() -> None:
    rows = made((1, 10, (0.5, 0.5)), (4, 30, (0.1, 0.1)), (5, 900, (0.0, 0.0)), (8, 99, (0.05, 0.05)))
    everywhere, rarer = findings(rows)["by AUC"]
    # (10 * 0.5 + 30 * 0.1) / 40 = 0.2, less 0.05.
    assert rarer.order == "the rarer half gain more than group 8"
    assert rarer.here == "+15.00% [+15.00%, +15.00%]"
    assert rarer.verdict == "yes"
    assert everywhere.here == "above zero in 3 of 4 groups, the least in group 5: +0.00%"
    assert everywhere.verdict == "unclear"
    assert findings(rows)["by LogLoss"][0].verdict == "no"


def test_new_items_are_compared_too() -> None:
    rows = made((1, 10, (0.1, 0.1)), (8, 99, (0.1, 0.1)), ("new", 5, (0.3, 0.3)))
    found = findings(rows)["by AUC"]
    assert [one.verdict for one in found] == ["yes", "unclear", "yes"]
    assert found[2].here == "+20.00% [+20.00%, +20.00%]"


def test_groups_without_a_figure() -> None:
    rows = made((1, 10, (None, 0.1)), ("new", 5, (0.3, 0.3)))
    assert [one.verdict for one in findings(rows)["by AUC"]] == ["unclear"]
    assert "n/a" in section(rows)


def test_the_page_and_the_terminal(rows: Rows) -> None:
    page = section(rows)
    assert page.count("<rect") == 3 + 1, "AUC of one group, LogLoss of three"
    assert "2 seeds" in page
    figures, orders = tables(rows, box.ASCII2)
    assert (figures.row_count, orders.row_count) == (3, 3)
