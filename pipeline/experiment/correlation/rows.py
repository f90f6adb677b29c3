"""From predictions with several encoders' embeddings to the figure's rows, and how they correlate."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from pipeline.experiment.finding import NO, UNCLEAR, YES, Finding
from pipeline.experiment.held_out_clicks import HeldOutClicks
from pipeline.experiment.measured import Measured, gauc_gain, spreads
from pipeline.experiment.rows import Rows
from pipeline.experiment.spread import spread

# Names the control among Table 2's methods: a random vector for each item.
RANDOM = "random"
SHOWN = {"image": "pictures", "text": "texts"}
# Below, a correlation that strong is rare among encoders that have nothing to do with GAUC.
_CHANCE = 0.05
_MIN_POINTS = 3


class Correlation(NamedTuple):
    """How Acc@1 and GAUC go together over encoders.

    Attributes:
        encoders: how many.
        pearson: the linear correlation of the seeds' means; None where it is not defined.
        spearman: that of their ranks.
        chance: how often so strong a linear correlation comes by chance.
    """

    encoders: int
    pearson: float | None
    spearman: float | None
    chance: float | None


def make_rows(
    predictions: Mapping[tuple[str, str], Sequence[np.ndarray]],
    accuracies: Mapping[tuple[str, str], Sequence[float | None]],
    baseline: Sequence[np.ndarray],
    clicks: HeldOutClicks,
) -> Rows:
    """One row a modality and encoder, as far as there are predictions.

    Args:
        predictions: of the test split, float32 `[impressions]`, by (Table 2's method, modality) and seed.
        accuracies: the encoders' Acc@1 by the same keys and seed; None of the control, which is no encoder.
        baseline: predictions of IDs alone by seed.
        clicks: the test split.
    Returns:
        "method", "modality"; "acc@1" and "gauc", each as `spread` gives it; "gain", of "gauc", over IDs alone, as
        `gains` gives it.
    """
    base = [Measured.of(clicks, one) for one in baseline]
    rows = []
    for method, modality in sorted(predictions, key=lambda key: list(SHOWN).index(key[1])):
        own = [Measured.of(clicks, one) for one in predictions[method, modality]]
        rows.append(
            {
                "method": method,
                "modality": modality,
                "acc@1": spread(accuracies[method, modality]),
                **spreads(own, ["gauc"]),
                "gain": gauc_gain(own, base),
            }
        )
    return rows


def correlate(rows: Rows) -> Correlation:
    """Correlates the seeds' means of Acc@1 and GAUC over one modality's rows."""
    points = [(row["acc@1"]["mean"], row["gauc"]["mean"]) for row in rows]
    accuracies, gaucs = np.array([point for point in points if None not in point]).reshape(-1, 2).T
    if len(gaucs) < _MIN_POINTS or np.ptp(accuracies) == 0 or np.ptp(gaucs) == 0:
        return Correlation(len(gaucs), None, None, None)
    pearson = stats.pearsonr(accuracies, gaucs)
    spearman = stats.spearmanr(accuracies, gaucs)
    return Correlation(len(gaucs), float(pearson.statistic), float(spearman.statistic), float(pearson.pvalue))


def findings(rows: Rows) -> dict[str, list[Finding]]:
    """Whether Acc@1 and GAUC rise together, by modality."""
    return {
        SHOWN[modality]: [_finding(correlate([row for row in rows if row["modality"] == modality]))]
        for modality in dict.fromkeys(row["modality"] for row in rows)
    }


def _finding(found: Correlation) -> Finding:
    order = "Acc@1 and GAUC rise together"
    if found.pearson is None or found.spearman is None or found.chance is None:
        return Finding(order, f"no correlation defined over {found.encoders} encoders", UNCLEAR)
    here = f"Pearson's r {found.pearson:.2f} ({_chance(found.chance)}), Spearman's {found.spearman:.2f}"
    if found.chance >= _CHANCE:
        return Finding(order, here, UNCLEAR)
    return Finding(order, here, YES if found.pearson > 0 else NO)


def _chance(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p {value:.3f}"
