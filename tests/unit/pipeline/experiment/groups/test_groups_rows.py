"""Figure 6b from predictions to rows, to the terminal and to the page."""

import math
from collections.abc import Callable, Sequence
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


def test_users_and_the_truth_by_group(
    clicks: HeldOutClicks, weak: list[np.ndarray], strong: list[np.ndarray]
) -> None:
    # User 0's click of group 1 (.5) beats user 2's impression (.3); better only by LogLoss.
    better = np.array([0.5, 0.6, 0.1, 0.2, 0.1, 0.25], np.float32)
    rare, often, new = make_rows(weak, [better] * 2, clicks, strong[0])
    assert (rare["oracle"]["auc"]["mean"], often["oracle"]["auc"]["mean"]) == (1.0, 1.0)
    # Of the way from 0 to 1 a half; group 1 has nowhere to go, and of one class there is no AUC.
    assert [row["headroom"]["auc"] for row in (rare, often, new)] == [None, 0.5, None]
    # -ln .9 is what the first of both seeds has, -ln .7 the second; the embeddings' and the oracle's are -ln .9.
    assert new["headroom"]["logloss"] == pytest.approx(1.0)
    # User 1 alone has impressions of new items, so that wherever there is a figure it is the same.
    mean = new["logloss_improvement"]["mean"]
    assert new["logloss_improvement"]["users"] == {"low": pytest.approx(mean), "high": pytest.approx(mean)}
    # The bounds are where users 0 and 2 are drawn alone: then it is nothing, or all of .3 to .25.
    gained = (math.log(0.75) - math.log(0.7)) / -math.log(0.7)
    assert rare["logloss_improvement"]["users"] == {"low": pytest.approx(0.0), "high": pytest.approx(gained)}
    assert new["auc_improvement"]["users"] is None


def halved(share: float) -> float:
    """A prediction of what is not clicked that loses so much less than one of a half."""
    return 1 - 0.5 ** (1 - share)


# Group, how much less embeddings lose there, user of each impression.
UNCLICKED = [(1, 0.5, 1), (4, 0.1, 0), (4, 0.1, 0), (4, 0.1, 0), (5, 0.0, 0), (8, 0.05, 0), (9, 0.3, 0)]


def unclicked(users: Sequence[int], groups: Sequence[int] = (1, 4, 5, 8, 9)) -> Rows:
    of, shares = zip(*[(group, share) for group, share, _ in UNCLICKED], strict=True)
    kept = np.isin(of, groups)
    clicks = HeldOutClicks(
        np.array(users)[kept], np.zeros(kept.sum(), bool), np.array(of)[kept], np.array([b""] * 7)[kept]
    )
    content = np.array([halved(share) for share in shares], np.float32)[kept]
    return make_rows([np.full(kept.sum(), 0.5, np.float32)] * 2, [content] * 2, clicks)


def test_rare_items_are_weighed_by_their_impressions() -> None:
    found = unclicked([user for *_, user in UNCLICKED])[3]["others_above"]["logloss"]
    # (0.5 + 3 * 0.1) / 4 = 0.2, less 0.05; 0.3 less 0.05.
    assert found["the rarer half"]["mean"] == pytest.approx(0.15, abs=1e-6)
    assert found["new items"]["mean"] == pytest.approx(0.25, abs=1e-6)
    # User 1, with all of group 1, may not be drawn: 0.1 less 0.05; without user 0 there is no group 8.
    bounds = {"low": pytest.approx(0.05, abs=1e-6), "high": pytest.approx(0.15, abs=1e-6)}
    assert found["the rarer half"]["users"] == bounds


def test_the_draws_of_both_are_the_same() -> None:
    rows = unclicked([0] * 7)
    everywhere, rarer, new = findings(rows)["by LogLoss"]
    assert (rarer.order, new.order) == (
        "the rarer half gain more than group 8",
        "new items gain more than group 8",
    )
    assert rarer.here == "+15.00% [+15.00%, +15.00%], users [+15.00%, +15.00%]"
    assert (rarer.verdict, new.verdict, everywhere.verdict) == ("yes", "yes", "unclear")
    assert [row["others_above"] is None for row in rows] == [True, True, True, False, True]
    assert [one.verdict for one in findings(rows)["by AUC"]] == ["unclear"] * 3, "no AUC of one class"


def test_there_may_be_no_group_to_compare() -> None:
    assert len(findings(unclicked([0] * 7, (1, 4, 9)))["by LogLoss"]) == 1
    (_, new) = findings(unclicked([0] * 7, (5, 8, 9)))["by LogLoss"]
    assert new.here == "+25.00% [+25.00%, +25.00%], users [+25.00%, +25.00%]"


def test_a_gain_in_every_group_needs_all_intervals(rows: Rows) -> None:
    def verdict(*gains: tuple[float, float, float]) -> str:
        made = [
            {**rows[0], "auc_improvement": {**spread([mean]), "low": mean, "high": mean, "users": bounds}}
            for mean, *ends in gains
            for bounds in [{"low": ends[0], "high": ends[1]}]
        ]
        found: str = findings(made)["by AUC"][0].verdict
        return found

    assert verdict((0.1, 0.05, 0.2), (0.2, 0.1, 0.3)) == "yes"
    assert verdict((0.1, 0.05, 0.2), (-0.1, -0.2, -0.05)) == "no"
    # The seeds agree that the second is a loss, the test users do not.
    assert verdict((0.1, 0.05, 0.2), (-0.1, -0.3, 0.1)) == "unclear"


def test_what_is_said_of_the_groups(rows: Rows) -> None:
    assert findings(rows)["by LogLoss"][0].here.startswith(
        "above zero in 3 of 3 groups, beyond all intervals in "
    )
    assert "; the least in group " in findings(rows)["by LogLoss"][0].here


def test_the_page_and_the_terminal(rows: Rows) -> None:
    page = section(rows)
    assert page.count("<rect") == 3 + 1, "AUC of one group, LogLoss of three"
    assert page.count('class="users"') == 3 + 1
    assert "2 seeds" in page and "n/a" in page
    assert "oracle" not in page
    *figures, orders = tables(rows, box.ASCII2)
    assert [table.row_count for table in (*figures, orders)] == [3, 3, 3]
    assert len(figures[0].columns) == 4


def test_the_page_says_where_there_is_something_to_gain() -> None:
    def figures(auc: float) -> dict[str, Any]:
        return {metric: spread([auc]) for metric in ("auc", "logloss")}

    rows = make_rows_of_two(figures)
    page = section(rows)
    assert (
        "nearest to it in group 8 (0.1000 away) and farthest in new items (0.3000); from the nearest to the "
        "farthest: 8, new. SimTier + MAKE go most of the way in group 8 (50.0%) and least in new items (10.0%)."
    ) in page
    assert len(tables(rows, box.ASCII2)[0].columns) == 5


def make_rows_of_two(figures: Callable[[float], dict[str, Any]]) -> Rows:
    same = {**spread([0.0]), "low": None, "high": None, "users": None}
    return [
        {
            "group": group,
            "impressions": 10,
            "id": figures(base),
            "simtier_make": figures(base),
            "oracle": figures(oracle),
            "headroom": {"auc": share, "logloss": share},
            "auc_improvement": same,
            "logloss_improvement": same,
            "others_above": None,
        }
        for group, base, oracle, share in ((8, 0.6, 0.7, 0.5), ("new", 0.5, 0.8, 0.1))
    ]
