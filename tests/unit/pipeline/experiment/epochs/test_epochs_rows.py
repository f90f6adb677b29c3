"""Figure 3 from predictions to rows, to the terminal and to the page."""

import numpy as np
import pytest
from rich import box

from pipeline.experiment.epochs.rows import findings, make_rows
from pipeline.experiment.epochs.views import section, tables
from pipeline.experiment.held_out_clicks import HeldOutClicks
from pipeline.experiment.rows import Rows


@pytest.fixture
def rows(clicks: HeldOutClicks, weak: list[np.ndarray], strong: list[np.ndarray]) -> Rows:
    predictions = {
        ("embeddings", 2): weak[::-1],
        ("embeddings", 1): weak,
        ("id", 2): weak,
        ("id", 1): strong,
        ("embeddings", 3): strong,
    }
    return make_rows(predictions, clicks)


def test_each_epoch_is_compared_with_its_models_first(rows: Rows) -> None:
    expected = [("id", 1), ("id", 2), ("embeddings", 1), ("embeddings", 2), ("embeddings", 3)]
    assert [(row["model"], row["epoch"]) for row in rows] == expected
    gains = [row["gain"] and row["gain"]["gauc"]["values"] for row in rows]
    assert gains[0] is None and gains[2] is None
    # From 1 to 0.7 and 0.6; from 0.7 and 0.6 to 0.6 and 0.7; from 0.7 and 0.6 to 1.
    assert gains[1] == pytest.approx([-0.3, -0.4])
    assert gains[3] == pytest.approx([-0.1, 0.1])
    assert gains[4] == pytest.approx([0.3, 0.4])
    assert rows[1]["gain"]["gauc"]["users"]["high"] == pytest.approx(-0.25)
    assert rows[1]["auc"]["mean"] == pytest.approx(0.5)
    steps = [row["step"] and row["step"]["gauc"]["values"] for row in rows]
    # From 0.6 and 0.7 to 1 in the end.
    assert steps == [
        None,
        pytest.approx([-0.3, -0.4]),
        None,
        pytest.approx([-0.1, 0.1]),
        pytest.approx([0.4, 0.3]),
    ]
    assert "logloss" in rows[1]


def test_the_papers_orders(rows: Rows) -> None:
    assert [one.order for one in findings(rows)["by GAUC"]] == [
        "IDs alone: epoch 2 below epoch 1",
        "embeddings alone: epoch 2 above epoch 1",
        "embeddings alone: epoch 3 above epoch 2",
        "embeddings alone: epoch 3 above epoch 1",
    ]


def test_each_order_knows_what_other_users_would_say(rows: Rows) -> None:
    assert all(", users [" in one.here for one in findings(rows)["by GAUC"])


def test_a_fall_of_ids_is_what_the_paper_found(
    clicks: HeldOutClicks, weak: list[np.ndarray], strong: list[np.ndarray]
) -> None:
    falling = {("id", 1): strong, ("id", 2): weak[:1] * 2}
    rising = {("id", 1): weak[:1] * 2, ("id", 2): strong}
    # User 1 gains nothing, so that other users might gain nothing either.
    assert [findings(make_rows(p, clicks))["by GAUC"][0].verdict for p in (falling, rising)] == [
        "unclear"
    ] * 2
    # Both users lose, the same with each seed: 1 and 1 to 0 and 0.
    worst = [1 - one for one in strong]
    falling, rising = {("id", 1): strong, ("id", 2): worst}, {("id", 1): worst, ("id", 2): strong}
    assert findings(make_rows(falling, clicks))["by GAUC"][0].verdict == "yes"
    assert findings(make_rows(rising, clicks))["by GAUC"][0].verdict == "no"


def test_the_page_and_the_terminal(rows: Rows) -> None:
    page = section(rows)
    # Two plots; in each 5 figures of two seeds and two dots of the legend.
    assert page.count("<circle") == 2 * (5 * 2 + 2)
    assert "-0.3500 [-0.9853, +0.2853]" in page
    assert "By GAUC: 0 of 4 of the paper" in page
    figures, orders = tables(rows, box.ASCII2)
    assert (figures.row_count, orders.row_count) == (5, 4)


def test_one_model_and_one_epoch(clicks: HeldOutClicks, weak: list[np.ndarray]) -> None:
    rows = make_rows({("id", 1): weak[:1]}, clicks)
    assert findings(rows) == {"by GAUC": []}
    assert "1 seed." in section(rows)
    assert tables(rows, box.ASCII2)[1].row_count == 0
