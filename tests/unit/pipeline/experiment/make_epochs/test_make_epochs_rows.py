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
    return make_rows({4: strong, 0: weak, 1: weak[::-1]}, {1: weak, 4: strong}, clicks, frozen=True)


def test_each_is_compared_with_no_pre_training(rows: Rows) -> None:
    assert [row["epochs"] for row in rows] == [0, 1, 4]
    assert rows[0]["gain"] is None
    assert rows[1]["gain"]["gauc"]["values"] == pytest.approx([-0.1, 0.1])
    assert rows[2]["gain"]["gauc"]["values"] == pytest.approx([0.3, 0.4])
    assert rows[2]["gain"]["gauc"]["users"]["low"] == pytest.approx(0.25)
    assert rows[0]["auc"]["mean"] == pytest.approx(0.5)
    # From 0.6 and 0.7 of one epoch.
    assert rows[2]["step"]["gauc"]["values"] == pytest.approx([0.4, 0.3])
    assert rows[2]["over_first"] == rows[2]["step"]
    assert (rows[0]["step"], rows[0]["over_first"], rows[1]["over_first"]) == (None, None, None)


def test_make_by_itself(rows: Rows) -> None:
    scratch, first, last = (row["alone"] for row in rows)
    assert scratch is None
    assert first["gauc"]["values"] == pytest.approx([0.7, 0.6]) and first["over_first"] is None
    assert last["gauc"]["values"] == [1.0, 1.0]
    assert last["over_first"]["gauc"]["values"] == pytest.approx([0.3, 0.4])


def test_what_became_of_make(clicks: HeldOutClicks, weak: list[np.ndarray], rows: Rows) -> None:
    assert [row["frozen"] for row in rows] == [False, True, True]
    page = section(rows)
    assert "weights stay as they are" in page and "compares two things at once" in page
    goes_on = make_rows({0: weak, 1: weak}, {1: weak}, clicks, frozen=False)
    assert [row["frozen"] for row in goes_on] == [False, False]
    page = section(goes_on)
    assert "learns on with the model" in page and "two things" not in page


def test_whether_make_itself_rises(
    clicks: HeldOutClicks, weak: list[np.ndarray], strong: list[np.ndarray]
) -> None:
    worst = [1 - one for one in strong]
    page = section(make_rows({0: weak, 1: strong, 2: worst}, {1: worst, 2: strong}, clicks, frozen=True))
    assert "From 1 to 2 epochs GAUC of MAKE alone rises (+1.0000 [" in page
    assert "that of the model that it joins falls (-1.0000 [" in page
    page = section(make_rows({0: weak, 1: weak, 2: weak}, {1: weak, 2: strong}, clicks, frozen=True))
    assert "that of the model that it joins moves too little to tell (+0.0000 [" in page


def test_the_papers_orders(clicks: HeldOutClicks, strong: list[np.ndarray], rows: Rows) -> None:
    found = findings(rows)["by GAUC"]
    assert [one.order for one in found] == ["1 above 0 epochs", "4 above 1 epochs", "4 above 0 epochs"]
    # 1 - 0.6 and 1 - 0.7, against epoch 1 and not against 0.
    assert found[1].here.startswith("+0.3500 ")
    worst = [1 - one for one in strong]
    rising = findings(make_rows({0: worst, 2: strong}, {2: strong}, clicks, frozen=True))["by GAUC"]
    assert [(one.order, one.verdict) for one in rising] == [("2 above 0 epochs", "yes")]


def test_the_page_and_the_terminal(rows: Rows) -> None:
    page = section(rows)
    assert page.count("<circle") == 2 * (3 * 2)
    assert "+0.3500 [-0.2853, +0.9853]" in page
    figures, orders = tables(rows, box.ASCII2)
    assert (figures.row_count, orders.row_count) == (3, 3)
