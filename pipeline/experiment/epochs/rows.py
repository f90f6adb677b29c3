"""From predictions after each epoch to the figure's rows, and what they say of the paper's finding."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from pipeline.experiment.finding import Finding
from pipeline.experiment.held_out_clicks import HeldOutClicks
from pipeline.experiment.measured import Measured, gauc_gain, spreads
from pipeline.experiment.rows import Rows

LABELS = {"id": "IDs alone", "embeddings": "embeddings alone"}


def make_rows(predictions: Mapping[tuple[str, int], Sequence[np.ndarray]], clicks: HeldOutClicks) -> Rows:
    """One row a model and epoch, in their order.

    Args:
        predictions: of the test split, float32 `[impressions]`, by ("id" or "embeddings", epoch from 1) and
            seed.
        clicks: the test split.
    Returns:
        "model", "epoch"; "auc", "gauc" and "logloss", each as `spread` gives it; "gain", of "gauc", over the
        same model's first epoch, as `gains` gives it, None for that epoch; "step", the same over the epoch
        before.
    """
    rows = []
    first: list[Measured] = []
    before: list[Measured] = []
    for model, epoch in sorted(predictions, key=lambda key: (list(LABELS).index(key[0]), key[1])):
        own = [Measured.of(clicks, one) for one in predictions[model, epoch]]
        first = own if epoch == 1 else first
        above, step = (None, None) if epoch == 1 else (gauc_gain(own, first), gauc_gain(own, before))
        rows.append({"model": model, "epoch": epoch, **spreads(own), "gain": above, "step": step})
        before = own
    return rows


def findings(rows: Rows) -> dict[str, list[Finding]]:
    """Whether IDs alone fall in their second epoch and embeddings alone rise with each."""
    ids, embeddings = (_of(rows, model) for model in LABELS)
    found = [
        Finding.of_gain("IDs alone: epoch 2 below epoch 1", row["gain"]["gauc"], rises=False)
        for row in ids
        if row["epoch"] == 2
    ]
    found += [
        Finding.of_gain(
            f"embeddings alone: epoch {after['epoch']} above epoch {before['epoch']}",
            after["step"]["gauc"],
        )
        for before, after in pairwise(embeddings)
    ]
    if len(embeddings) > 2:
        last = embeddings[-1]
        found.append(
            Finding.of_gain(f"embeddings alone: epoch {last['epoch']} above epoch 1", last["gain"]["gauc"])
        )
    return {"by GAUC": found}


def _of(rows: Rows, model: str) -> Rows:
    return [row for row in rows if row["model"] == model]
