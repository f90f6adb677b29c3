"""From predictions by pre-training epochs to the figure's rows, and what they say of the paper's finding."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from pipeline.experiment.finding import Finding
from pipeline.experiment.held_out_clicks import HeldOutClicks
from pipeline.experiment.measured import Measured, gauc_gain, spreads
from pipeline.experiment.rows import Rows


def make_rows(
    predictions: Mapping[int, Sequence[np.ndarray]],
    alone: Mapping[int, Sequence[np.ndarray]],
    clicks: HeldOutClicks,
    frozen: bool,
) -> Rows:
    """One row a number of epochs, in their order.

    Args:
        predictions: of the test split, float32 `[impressions]`, by the epochs of MAKE's pre-training (0: trained
            together with the rest from scratch) and seed.
        alone: those of MAKE by itself after as many epochs, from 1.
        clicks: the test split.
        frozen: whether a pre-trained MAKE keeps its weights while the model learns.
    Returns:
        "epochs"; "frozen", whether MAKE kept its weights, never with 0 epochs; "auc", "gauc" and "logloss", each
        as `spread` gives it; "gain", of "gauc", over 0 epochs, as `gains` gives it, None for 0 epochs; "step",
        the same over the row before; "over_first", the same over the fewest epochs of pre-training, None up to
        there; "alone", None for 0 epochs, of MAKE by itself "auc", "gauc", "logloss" and "over_first".
    """
    own, by_itself = (
        {epochs: [Measured.of(clicks, one) for one in each[epochs]] for epochs in sorted(each)}
        for each in (predictions, alone)
    )
    before = dict(zip([*own][1:], own, strict=False))
    first = min(epochs for epochs in own if epochs)
    return [
        {
            "epochs": epochs,
            "frozen": frozen and epochs > 0,
            **spreads(seeds),
            "gain": gauc_gain(seeds, own[0]) if epochs else None,
            "step": gauc_gain(seeds, own[before[epochs]]) if epochs else None,
            "over_first": gauc_gain(seeds, own[first]) if epochs > first else None,
            "alone": _alone(by_itself, epochs, first) if epochs else None,
        }
        for epochs, seeds in own.items()
    ]


def findings(rows: Rows) -> dict[str, list[Finding]]:
    """Whether each further epoch of pre-training raises GAUC, and all together."""
    found = [
        Finding.of_gain(f"{after['epochs']} above {before['epochs']} epochs", after["step"]["gauc"])
        for before, after in pairwise(rows)
    ]
    if len(rows) > 3:
        order = f"{rows[-1]['epochs']} above {rows[1]['epochs']} epochs"
        found.append(Finding.of_gain(order, rows[-1]["over_first"]["gauc"]))
    if len(rows) > 2:
        found.append(Finding.of_gain(f"{rows[-1]['epochs']} above 0 epochs", rows[-1]["gain"]["gauc"]))
    return {"by GAUC": found}


def _alone(measured: Mapping[int, Sequence[Measured]], epochs: int, first: int) -> dict[str, Any]:
    own = measured[epochs]
    over_first = gauc_gain(own, measured[first]) if epochs > first else None
    return {**spreads(own), "over_first": over_first}
