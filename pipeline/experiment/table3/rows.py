"""From predictions to the table's rows, and what they say of the paper's orders."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from pipeline.experiment.finding import Finding
from pipeline.experiment.held_out_clicks import HeldOutClicks
from pipeline.experiment.measured import METRICS, Measured, gains, spreads, values_of
from pipeline.experiment.rows import Rows
from pipeline.experiment.spread import spread
from pipeline.experiment.table3.methods import ID, LABELS, METHODS, ORACLE, PAPER

_FIGURES = (*METRICS, "calibration")


def make_rows(
    predictions: Mapping[str, Sequence[np.ndarray]],
    seeds: Sequence[int],
    clicks: HeldOutClicks,
    truth: np.ndarray | None,
) -> Rows:
    """One row a method, in the order of the paper's table.

    Args:
        predictions: of the test split, float32 `[impressions]`, by method and seed.
        seeds: of each method's trials, in the order of the predictions.
        clicks: the test split.
        truth: the true click probabilities, float32 `[impressions]`; None where nobody knows them.
    Returns:
        "method", "seeds"; "auc", "gauc", "logloss" and "calibration", each as `spread` gives it; "impressions";
        "users", those with both classes; "gain" over IDs alone, as `gains` gives it, and "relative_gain" of
        "gauc" and "auc", the mean gain over the mean of IDs alone, both None for IDs alone and where these were
        not tried; "above", of the methods that the paper ranks below, how far this one lies above each, as
        `gains` gives it; "paper", the paper's relative gains. The row of the method "oracle", where the truth is known,
        has no seeds and single values.
    """
    measured = {name: [Measured.of(clicks, one) for one in each] for name, each in predictions.items()}
    base = measured.get(ID)
    rows = []
    for method in METHODS:
        if method.name in measured:
            own = measured[method.name]
            row = _row(method.name, seeds, own, own, None if method.name == ID else base)
            rows.append(row | {"above": _above(method.name, measured)})
    if truth is not None:
        best = Measured.of(clicks, truth)
        rows.append(_row(ORACLE, (), [best], [best] * len(seeds), base) | {"above": {}})
    return rows


def findings(rows: Rows) -> dict[str, list[Finding]]:
    """Whether the paper's orders hold: each method above IDs alone, and of each two the paper's better one above.

    Args:
        rows: as `make_rows` gives them.
    Returns:
        The same orders, by GAUC and by AUC.
    """
    return {f"by {name.upper()}": _findings(rows, name) for name in ("gauc", "auc")}


def _findings(rows: Rows, name: str) -> list[Finding]:
    compared = [row for row in rows if row["paper"]]
    found = [
        Finding.of_gain(f"{LABELS[row['method']]} above IDs alone", row["gain"][name])
        for row in compared
        if row["gain"]
    ]
    ranked = sorted(compared, key=lambda row: _rank(row["method"]))
    return found + [
        Finding.of_gain(
            f"{LABELS[better['method']]} above {LABELS[worse['method']]}",
            better["above"][worse["method"]][name],
        )
        for worse, better in combinations(ranked, 2)
    ]


def _above(name: str, measured: Mapping[str, Sequence[Measured]]) -> dict[str, Any]:
    """How far a method lies above each that the paper ranks below it."""
    worse = [other for other in measured if PAPER[name] and PAPER[other] and _rank(other) < _rank(name)]
    return {other: gains(measured[name], measured[other]) for other in worse}


def _rank(name: str) -> float:
    """The paper's gain of GAUC; of two methods the same one is better by AUC."""
    paper = PAPER[name]
    return paper["gauc"] if paper else 0.0


def _row(
    name: str,
    seeds: Sequence[int],
    own: Sequence[Measured],
    compared: Sequence[Measured],
    base: Sequence[Measured] | None,
) -> dict[str, Any]:
    above = gains(compared, base) if base else None
    return {
        "method": name,
        "seeds": list(seeds),
        **spreads(own, _FIGURES),
        "impressions": own[0].figures["impressions"],
        "users": own[0].figures["users"],
        "gain": above,
        "relative_gain": {metric: _relative(above[metric], base, metric) for metric in ("gauc", "auc")}
        if above and base
        else None,
        "paper": PAPER[name],
    }


def _relative(above: dict[str, Any], base: Sequence[Measured], metric: str) -> float | None:
    mean = spread(values_of(base, metric))["mean"]
    return above["mean"] / mean if above["mean"] is not None and mean else None
