"""From predictions with and without embeddings to the figure's rows, and what they say of rare items."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.experiment.figures import percent, percent_with_interval
from pipeline.experiment.finding import NO, UNCLEAR, YES, Finding, judge
from pipeline.experiment.gain import gain, relative_gain, relative_reduction
from pipeline.experiment.held_out_clicks import NEW, HeldOutClicks
from pipeline.experiment.rows import Rows
from pipeline.experiment.spread import spread
from transforms.item_stats import NUM_GROUPS

METRICS = {"auc": "AUC", "logloss": "LogLoss"}
_RARER_HALF = range(1, NUM_GROUPS // 2 + 1)


def make_rows(
    baseline: Sequence[np.ndarray], predictions: Sequence[np.ndarray], clicks: HeldOutClicks
) -> Rows:
    """One row a frequency group that occurs, from the rarest on, new items last.

    Args:
        baseline: predictions of IDs alone for the test split, float32 `[impressions]`, by seed.
        predictions: those of SimTier and MAKE together, of the same seeds.
        clicks: the test split.
    Returns:
        "group", 1 to 8 or "new"; "impressions"; "id" and "simtier_make", of each "auc" and "logloss" as `spread`
        gives them; "auc_improvement" and "logloss_improvement", relative to IDs alone and positive where
        embeddings help, as `gain` gives them.
    """
    measured = [[clicks.measure(one)["groups"] for one in each] for each in (baseline, predictions)]
    # [model][seed][group] turned round to [group][model][seed].
    by_group = zip(*(zip(*model, strict=True) for model in measured), strict=True)
    return [_row(ids, content) for ids, content in by_group]


def findings(rows: Rows) -> dict[str, list[Finding]]:
    """Whether embeddings help in every group, and rare and new items more than the most frequent ones.

    Returns:
        The same orders, by AUC and by LogLoss.
    """
    return {f"by {label}": _findings(rows, f"{metric}_improvement") for metric, label in METRICS.items()}


def _findings(rows: Rows, name: str) -> list[Finding]:
    often = next((row for row in rows if row["group"] == NUM_GROUPS), None)
    compared = {
        "the rarer half": [row for row in rows if row["group"] in _RARER_HALF],
        "new items": [row for row in rows if row["group"] == NEW],
    }
    return [_everywhere(rows, name)] + [
        Finding.of_gain(
            f"{what} gain more than group {NUM_GROUPS}",
            gain(_mean_improvement(some, name), often[name]["values"]),
            write=percent_with_interval,
        )
        for what, some in compared.items()
        if some and often
    ]


def _row(ids: Sequence[dict[str, Any]], content: Sequence[dict[str, Any]]) -> dict[str, Any]:
    values = {metric: ([one[metric] for one in content], [one[metric] for one in ids]) for metric in METRICS}
    return {
        "group": ids[0]["group"],
        "impressions": ids[0]["impressions"],
        "id": {metric: spread(base) for metric, (_, base) in values.items()},
        "simtier_make": {metric: spread(own) for metric, (own, _) in values.items()},
        "auc_improvement": relative_gain(*values["auc"]),
        "logloss_improvement": relative_reduction(*values["logloss"]),
    }


def _everywhere(rows: Rows, name: str) -> Finding:
    verdicts = [judge(row[name]) for row in rows]
    verdict = NO if NO in verdicts else UNCLEAR if UNCLEAR in verdicts else YES
    means = [row[name]["mean"] for row in rows]
    known = [mean for mean in means if mean is not None]
    here = f"above zero in {sum(mean > 0 for mean in known)} of {len(rows)} groups"
    if known:
        here += f", the least in group {rows[means.index(min(known))]['group']}: {percent(min(known))}"
    return Finding("a gain in every group", here, verdict)


def _mean_improvement(rows: Rows, name: str) -> list[float | None]:
    """Of each seed, over groups, weighted by their impressions; None where a group's is not defined."""
    weights = [row["impressions"] for row in rows]
    by_seed = zip(*(row[name]["values"] for row in rows), strict=True)
    return [None if None in values else float(np.average(values, weights=weights)) for values in by_seed]
