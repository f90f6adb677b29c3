"""From trials' results to rows, to the terminal and to the page."""

import io
import itertools
import re
from typing import Any

import pytest
from rich import box
from rich.console import Console

from pipeline.experiment.part import Rows
from pipeline.experiment.table2.page import section
from pipeline.experiment.table2.rows import make_rows
from pipeline.experiment.table2.terminal import tables

METHODS = ("backbone", "title_image", "scl", "scl_without_triplet", "scl_without_triplet_and_bank")
# Acc@1 of two seeds.
IMAGE = {
    "backbone": (0.2, 0.2),
    "title_image": (0.3, 0.4),
    "scl": (0.8, 0.6),
    "scl_without_triplet": (0.7, 0.7),
    "scl_without_triplet_and_bank": (0.5, 0.6),
}


def result(method: str, modality: str, seed: int, accuracy: float) -> dict[str, Any]:
    parts = {
        "easy": {"pairs": 0, "acc@1": None, "acc@5": None},
        "between": {"pairs": 4, "acc@1": 1.0, "acc@5": 1.0},
        "hard": {"pairs": 6, "acc@1": accuracy / 2, "acc@5": accuracy},
    }
    return {
        "method": method,
        "modality": modality,
        "seed": seed,
        "pairs": 10,
        "candidates": 9,
        "acc@1": accuracy,
        "acc@5": min(1.0, accuracy + 0.2),
        "slices": parts,
        "alignment": 0.5,
        "uniformity": -2.0,
        "random_cosine": 0.1,
        "steps": 100 + seed,
        "seconds": 1.5,
        "curve": [],
        "temperature": None,
    }


@pytest.fixture
def rows() -> Rows:
    trials = itertools.product((0, 1), ("image", "text"), METHODS)
    return make_rows([result(m, modality, seed, IMAGE[m][seed]) for seed, modality, m in trials])


def test_a_row_a_modality_and_method_in_the_order_of_the_paper(rows: Rows) -> None:
    expected = [(modality, method) for modality in ("image", "text") for method in METHODS]
    assert [(row["modality"], row["method"]) for row in rows] == expected
    assert [row["paper"]["acc@1"] for row in rows[:5]] == [0.2559, 0.2952, 0.7474, 0.6957, 0.5760]
    assert [row["paper"]["acc@5"] for row in rows[:5]] == [0.3575, 0.3917, 0.8850, 0.8604, 0.7590]


def test_figures_have_mean_spread_and_values(rows: Rows) -> None:
    found = rows[1]
    # 0.3 and 0.4: each 0.05 from 0.35, so the variance is 2 * 0.0025 / 1 = 0.005.
    assert found["acc@1"]["mean"] == pytest.approx(0.35)
    assert found["acc@1"]["std"] == pytest.approx(0.0707107, abs=1e-6)
    assert found["acc@1"]["values"] == [0.3, 0.4]
    assert found["acc@5"]["mean"] == pytest.approx(0.55)
    assert found["steps"]["mean"] == pytest.approx(100.5)
    assert (found["seeds"], found["pairs"], found["candidates"]) == ([0, 1], 10, 9)
    assert found["slices"]["hard"]["pairs"] == 6
    assert found["slices"]["hard"]["acc@1"]["mean"] == pytest.approx(0.175)
    assert found["slices"]["easy"]["acc@1"]["mean"] is None


def test_gains_are_paired_by_seed(rows: Rows) -> None:
    # 0.8 - 0.5 = 0.3 and 0.6 - 0.6 = 0: mean 0.15, each 0.15 away, variance 0.045.
    gain = rows[4]["scl_gain"]["acc@1"]
    assert gain["values"] == pytest.approx([0.3, 0.0])
    assert gain["mean"] == pytest.approx(0.15)
    assert gain["std"] == pytest.approx(0.2121320, abs=1e-6)
    assert rows[2]["scl_gain"]["acc@1"]["values"] == [0.0, 0.0]


def test_the_terminal_has_figures_spread_and_the_papers(rows: Rows) -> None:
    console = Console(file=io.StringIO(), width=120)
    for table in tables(rows, box.ASCII2):
        console.print(table)
    text = console.file.getvalue()
    assert "Table 2, image: 10 test pairs, 2 seeds" in text
    line = next(line for line in text.splitlines() if "title, image" in line)
    # 0.5 and 0.2 above: mean 0.35, each 0.15 away, deviation sqrt(2 * 0.0225) = 0.2121.
    for figure in ("0.3500 ± 0.0707", "0.5500 ± 0.0707", "+0.3500 ± 0.2121", "0.2952, 0.3917"):
        assert figure in line
    assert "between (4)" in text and "hard (6)" in text and "easy" not in text


def test_the_page_has_them_too(rows: Rows) -> None:
    page = section(rows)
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", page)
    for figure in ("0.2559", "0.8850", "0.3500 ± 0.0707", "+0.1500 ± 0.2121"):
        assert figure in cells
    assert "<title, image>" not in page, "text must not become markup"
    # Two plots of five methods with two accuracies of two seeds.
    assert page.count("<circle") == 2 * (5 * 2 * 2 + 2)
    assert "2 seeds" in page


def test_one_seed_and_one_modality() -> None:
    rows = make_rows([result(method, "text", 3, 0.5) for method in METHODS])
    assert {row["modality"] for row in rows} == {"text"}
    assert "1 seed." in section(rows)
    assert "0.5000 ±" not in section(rows)
