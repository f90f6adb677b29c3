"""Table 3 from predictions to rows, to the terminal and to the page."""

import io
import re

import numpy as np
import pytest
from rich import box
from rich.console import Console

from pipeline.experiment.held_out_clicks import HeldOutClicks
from pipeline.experiment.rows import Rows
from pipeline.experiment.table3.rows import findings, make_rows
from pipeline.experiment.table3.views import section, tables

ORDER = ["id", "vector", "simscore", "simtier", "make", "simtier_make"]


@pytest.fixture
def truth(strong: list[np.ndarray]) -> np.ndarray:
    return strong[0]


@pytest.fixture
def rows(clicks: HeldOutClicks, weak: list[np.ndarray], strong: list[np.ndarray], truth: np.ndarray) -> Rows:
    predictions = {"simtier_make": strong, "make": weak[::-1], "id": weak}
    return make_rows(predictions, [5, 6], clicks, truth)


def test_rows_in_the_papers_order_with_its_figures(
    clicks: HeldOutClicks, weak: list[np.ndarray], truth: np.ndarray
) -> None:
    rows = make_rows(dict.fromkeys(ORDER[::-1], weak), [0, 1], clicks, truth)
    assert [row["method"] for row in rows] == [*ORDER, "oracle"]
    assert [row["paper"] and row["paper"]["gauc"] for row in rows] == [
        None,
        0.0029,
        0.0077,
        0.0096,
        0.0093,
        0.0125,
        None,
    ]
    assert [row["paper"] and row["paper"]["auc"] for row in rows[1:6]] == [
        0.0018,
        0.0040,
        0.0059,
        0.0051,
        0.0075,
    ]


def test_figures_and_gains(rows: Rows) -> None:
    ids, make, both, oracle = rows
    assert ids["gauc"]["values"] == pytest.approx([0.7, 0.6])
    assert (ids["seeds"], ids["impressions"], ids["users"]) == ([5, 6], 6, 2)
    # 2.1 / 2 and 2.1 / 2 clicks.
    assert ids["calibration"]["values"] == pytest.approx([1.05, 1.05])
    assert (ids["gain"], ids["relative_gain"]) == (None, None)
    # Seed by seed 0.6 - 0.7 and 0.7 - 0.6.
    assert make["gain"]["gauc"]["values"] == pytest.approx([-0.1, 0.1])
    assert both["gain"]["gauc"]["values"] == pytest.approx([0.3, 0.4])
    # Users gain 0.25 and 0.5, of whom one may be drawn alone.
    assert both["gain"]["gauc"]["users"] == {"low": pytest.approx(0.25), "high": pytest.approx(0.5)}
    # 0.35 over 0.65, and 0.5 over 0.5.
    assert both["relative_gain"] == {"gauc": pytest.approx(0.35 / 0.65), "auc": pytest.approx(1.0)}
    assert set(both["gain"]) == {"auc", "gauc", "logloss"}
    assert both["above"]["make"]["gauc"]["values"] == pytest.approx([0.4, 0.3])
    assert (oracle["seeds"], oracle["above"]) == ([], {})
    assert oracle["gauc"] == {"mean": 1.0, "std": None, "values": [1.0]}
    assert oracle["gain"]["gauc"]["values"] == pytest.approx([0.3, 0.4])


def test_without_ids_or_the_truth(clicks: HeldOutClicks, weak: list[np.ndarray]) -> None:
    rows = make_rows({"make": weak}, [0, 1], clicks, None)
    assert [(row["method"], row["gain"], row["relative_gain"]) for row in rows] == [("make", None, None)]
    assert "MAKE" in section(rows)
    assert len(tables(rows, box.ASCII2)) == 2


def test_the_papers_orders(rows: Rows) -> None:
    found = findings(rows)
    assert [(one.order, one.verdict) for one in found["by AUC"]] == [
        ("MAKE above IDs alone", "unclear"),
        ("SimTier + MAKE above IDs alone", "yes"),
        ("SimTier + MAKE above MAKE", "yes"),
    ]
    # 1 - 0.6 and 1 - 0.7, since MAKE's seeds are those of IDs alone turned round; the users' is the same.
    assert "+0.3500 [-0.2853, +0.9853], users [+0.2500, +0.5000]" == found["by GAUC"][2].here
    # 0.3 and 0.4 over two seeds: the interval is that of 0.35 ± 0.64.
    assert [one.verdict for one in found["by GAUC"]] == ["unclear"] * 3
    assert "+0.3500 [-0.2853, +0.9853], users [+0.2500, +0.5000]" == found["by GAUC"][1].here


def test_all_orders_of_the_paper(clicks: HeldOutClicks, weak: list[np.ndarray]) -> None:
    rows = make_rows(dict.fromkeys(ORDER, weak), [0, 1], clicks, None)
    assert [list(row["above"]) for row in rows[:3]] == [[], [], ["vector"]]
    assert set(rows[-1]["above"]) == {"vector", "simscore", "simtier", "make"}
    orders = [one.order for one in findings(rows)["by GAUC"]]
    assert len(orders) == 5 + 10
    for better, worse in (("SimTier", "SimScore"), ("SimTier", "MAKE"), ("SimTier + MAKE", "SimTier")):
        assert f"{better} above {worse}" in orders
        assert f"{worse} above {better}" not in orders


def test_the_page(rows: Rows) -> None:
    page = section(rows)
    assert (
        "SimTier + MAKE lies above IDs alone in GAUC by +0.3500 [-0.2853, +0.9853], "
        "users [+0.2500, +0.5000], in AUC by +0.5000 [+0.5000, +0.5000]"
    ) in page
    # SimTier + MAKE has all of GAUC already.
    assert re.search(r"That is (&gt;99.9|100)% of the way in GAUC to the oracle", page)
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", page)
    # The paper's gains, these, and the figures: 0.35 / 0.65 = 53.85 %.
    for figure in ("+1.25%", "+0.75%", "+53.85%", "+100.00%", "0.6500 ± 0.0707"):
        assert figure in cells
    assert "2 seeds" in page


def test_a_loss_is_called_so(
    clicks: HeldOutClicks, weak: list[np.ndarray], strong: list[np.ndarray], truth: np.ndarray
) -> None:
    page = section(make_rows({"id": strong, "simtier_make": weak}, [0, 1], clicks, truth))
    assert "SimTier + MAKE lies below IDs alone in GAUC by -0.3500" in page
    assert "of the way" not in page


def test_the_terminal(rows: Rows) -> None:
    console = Console(file=io.StringIO(), width=120)
    for table in tables(rows, box.ASCII2):
        console.print(table)
    lines = console.file.getvalue().splitlines()
    assert "Table 3: 6 test impressions, 2 seeds" in lines[0]
    line = next(line for line in lines if "SimTier + MAKE" in line)
    for figure in ("1.0000 ± 0.0000", "+0.3500 [-0.2853, +0.9853]", "+1.25%"):
        assert figure in line
    assert any("SimTier + MAKE above MAKE" in line and "unclear" in line for line in lines)
