"""From predictions by pre-training epochs to the figure's rows, and what they say of the paper's finding."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from pipeline.experiment.finding import Finding
from pipeline.experiment.gain import gain
from pipeline.experiment.held_out_clicks import HeldOutClicks
from pipeline.experiment.measured import Measured, gauc_gain, spreads
from pipeline.experiment.rows import Rows


def make_rows(predictions: Mapping[int, Sequence[np.ndarray]], clicks: HeldOutClicks) -> Rows:
    """One row a number of epochs, in their order.

    Args:
        predictions: of the test split, float32 `[impressions]`, by the epochs of MAKE's pre-training (0: trained
            together with the rest from scratch) and seed.
        clicks: the test split.
    Returns:
        "epochs"; "auc", "gauc" and "logloss", each as `spread` gives it; "gain", of "gauc", over 0 epochs, as
        `gains` gives it, None for 0 epochs.
    """
    measured = {
        epochs: [Measured.of(clicks, one) for one in predictions[epochs]] for epochs in sorted(predictions)
    }
    return [
        {"epochs": epochs, **spreads(own), "gain": gauc_gain(own, measured[0]) if epochs else None}
        for epochs, own in measured.items()
    ]


def findings(rows: Rows) -> dict[str, list[Finding]]:
    """Whether each further epoch of pre-training raises GAUC, and all together."""
    found = [
        Finding.of_gain(
            f"{after['epochs']} above {before['epochs']} epochs",
            gain(after["gauc"]["values"], before["gauc"]["values"]),
        )
        for before, after in pairwise(rows)
    ]
    if len(rows) > 2:
        found.append(Finding.of_gain(f"{rows[-1]['epochs']} above 0 epochs", rows[-1]["gain"]["gauc"]))
    return {"by GAUC": found}
