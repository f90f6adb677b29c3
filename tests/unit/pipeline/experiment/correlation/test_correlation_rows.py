"""Figure 6a from predictions to rows, to the terminal and to the page."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rich import box

from models.content.item_embeddings import ItemEmbeddings
from pipeline.experiment.correlation.part import random_vectors
from pipeline.experiment.correlation.rows import correlate, findings, make_rows
from pipeline.experiment.correlation.views import section, tables
from pipeline.experiment.held_out_clicks import HeldOutClicks
from pipeline.experiment.rows import Rows
from pipeline.experiment.spread import spread

METHODS = ("backbone", "title_image", "scl", "scl_without_triplet", "scl_without_triplet_and_bank")


def row(method: str, modality: str, accuracy: float | None, gauc: float | None) -> dict[str, Any]:
    gain = {**spread([0.01]), "low": None, "high": None, "users": None}
    return {
        "method": method,
        "modality": modality,
        "acc@1": spread([accuracy]),
        "gauc": spread([gauc]),
        "gain": {"gauc": gain},
    }


def made(accuracies: list[float], gaucs: list[float | None], modality: str = "image") -> Rows:
    return [row(m, modality, a, g) for m, a, g in zip(METHODS, accuracies, gaucs, strict=False)]


def test_rows(clicks: HeldOutClicks, weak: list[np.ndarray], strong: list[np.ndarray]) -> None:
    predictions = {("scl", "text"): weak, ("backbone", "image"): weak, ("scl", "image"): strong}
    accuracies = {
        ("scl", "text"): [0.1, 0.2],
        ("backbone", "image"): [0.3, 0.5],
        ("scl", "image"): [0.7, 0.8],
    }
    found = make_rows(predictions, accuracies, weak, clicks)
    expected = [("backbone", "image"), ("scl", "image"), ("scl", "text")]
    assert [(one["method"], one["modality"]) for one in found] == expected
    assert found[0]["acc@1"]["mean"] == pytest.approx(0.4)
    assert found[0]["gauc"]["values"] == pytest.approx([0.7, 0.6])
    assert found[0]["gain"]["gauc"]["values"] == [0.0, 0.0]
    assert found[1]["gain"]["gauc"]["values"] == pytest.approx([0.3, 0.4])
    assert "users" in found[1]["gain"]["gauc"]


def test_correlations_by_hand() -> None:
    # Both less their means: (-1.5, -0.5, 0.5, 1.5) and (-1.5, 0.5, -0.5, 1.5), tenths of the first and hundredths
    # of the second. Products sum to 4.5 - 0.5 = 4, squares to 5 each: r = 4 / 5; the values are their own ranks.
    found = correlate(made([0.1, 0.2, 0.3, 0.4], [0.61, 0.63, 0.62, 0.64]))
    assert (found.encoders, found.pearson, found.spearman) == (4, pytest.approx(0.8), pytest.approx(0.8))
    # t = r * sqrt((n - 2) / (1 - r²)) = 0.8 * sqrt(2 / 0.36) = 1.8856; of two degrees of freedom both tails hold
    # 1 - t / sqrt(2 + t²) = 1 - 1.8856 / 2.3570 = 0.2.
    assert found.chance == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("accuracies", "gaucs", "encoders"),
    [
        ([0.1, 0.2], [0.6, 0.7], 2),
        ([0.1, 0.2, 0.3], [0.6, 0.6, 0.6], 3),
        ([0.1, 0.1, 0.1], [0.6, 0.7, 0.8], 3),
        ([0.1, 0.2, 0.3], [0.6, None, 0.8], 2),
        ([0.1], [None], 0),
    ],
)
def test_where_nothing_correlates(accuracies: list, gaucs: list, encoders: int) -> None:
    rows = made(accuracies, gaucs)
    assert correlate(rows) == (encoders, None, None, None)
    assert findings(rows)["pictures"][0].verdict == "unclear"


@pytest.mark.parametrize(
    ("gaucs", "verdict"),
    [
        ([0.60, 0.61, 0.62, 0.63, 0.641], "yes"),
        ([0.641, 0.63, 0.62, 0.61, 0.60], "no"),
        ([0.61, 0.60, 0.63, 0.60, 0.61], "unclear"),
    ],
)
def test_verdicts(gaucs: list[float | None], verdict: str) -> None:
    assert findings(made([0.1, 0.2, 0.3, 0.4, 0.5], gaucs))["pictures"][0].verdict == verdict


def test_the_page_and_the_terminal() -> None:
    gaucs: list[float | None] = [0.61, 0.63, 0.62, 0.64]
    rows = made([0.1, 0.2, 0.3, 0.4], gaucs) + made([0.4, 0.3, 0.2, 0.1], gaucs, "text")
    page = section(rows)
    assert page.count("<circle") == 8
    for said in ("0.80 (p 0.200)", "-0.80 (p 0.200)", "&lt;title, image&gt;"):
        assert said in page
    figures, orders = tables(rows, box.ASCII2)
    assert (figures.row_count, orders.row_count) == (8, 1)


def test_the_control_is_no_encoder() -> None:
    encoders = made([0.1, 0.2, 0.3, 0.4], [0.61, 0.63, 0.62, 0.64])
    rows = [*encoders, row("random", "image", None, 0.7)]
    assert correlate(rows) == correlate(encoders)
    page = str(section(rows))
    assert "control: a random vector" in page and page.count("<circle") == len(encoders)


def test_control_vectors_are_of_length_one_and_unlike_each_other() -> None:
    vectors = np.zeros((500, 64), np.float32)
    own = ItemEmbeddings(pa.array(["a"]), {"image": np.array([1], np.int32)}, {"image": vectors})
    table = random_vectors(own, "image", 3).tables["image"]
    assert not table[0].any()
    cosines = table[1:] @ table[1:].T
    np.testing.assert_allclose(np.diag(cosines), 1, atol=1e-5)
    # Of random directions in 64 dimensions the cosine's deviation is 1 / 8.
    assert np.std(cosines[np.triu_indices(499, 1)]) == pytest.approx(1 / 8, rel=0.02)
    assert random_vectors(own, "image", 3).name != random_vectors(own, "image", 4).name
