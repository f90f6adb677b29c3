"""Figure 6c from predictions to rows, to the terminal and to the page."""

import numpy as np
import pytest
from rich import box

from pipeline.experiment.held_out_clicks import HeldOutClicks
from pipeline.experiment.make_epochs.rows import findings, make_rows
from pipeline.experiment.make_epochs.views import section, tables
from pipeline.experiment.rows import Rows


@pytest.fixture
def rows(clicks: HeldOutClicks, weak: list[np.ndarray], strong: list[np.ndarray]) -> Rows:
    return make_rows({4: strong, 0: weak, 1: weak[::-1]}, clicks)


def test_each_is_compared_with_no_pre_training(rows: Rows) -> None:
    assert [row["epochs"] for row in rows] == [0, 1, 4]
    assert rows[0]["gain"] is None
    assert rows[1]["gain"]["gauc"]["values"] == pytest.approx([-0.1, 0.1])
    assert rows[2]["gain"]["gauc"]["values"] == pytest.approx([0.3, 0.4])
    assert rows[2]["gain"]["gauc"]["users"]["low"] == pytest.approx(0.25)
    assert rows[0]["auc"]["mean"] == pytest.approx(0.5)


def test_the_papers_orders(clicks: HeldOutClicks, strong: list[np.ndarray], rows: Rows) -> None:
    found = findings(rows)["by GAUC"]
    assert [one.order for one in found] == ["1 above 0 epochs", "4 above 1 epochs", "4 above 0 epochs"]
    # 1 - 0.6 and 1 - 0.7, against epoch 1 and not against 0.
    assert found[1].here.startswith("+0.3500 ")
    worst = [1 - one for one in strong]
    rising = findings(make_rows({0: worst, 2: strong}, clicks))["by GAUC"]
    assert [(one.order, one.verdict) for one in rising] == [("2 above 0 epochs", "yes")]


def test_the_page_and_the_terminal(rows: Rows) -> None:
    page = section(rows)
    assert page.count("<circle") == 2 * (3 * 2)
    assert "+0.3500 [-0.2853, +0.9853]" in page
    figures, orders = tables(rows, box.ASCII2)
    assert (figures.row_count, orders.row_count) == (3, 3)
