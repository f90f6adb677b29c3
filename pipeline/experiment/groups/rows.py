"""From predictions with and without embeddings to the figure's rows, and what they say of rare items."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.experiment.figures import percent_with_intervals
from pipeline.experiment.finding import NO, UNCLEAR, YES, Finding, judge
from pipeline.experiment.gain import gain, relative_gain, relative_reduction
from pipeline.experiment.groups.resampled import Resampled, resample
from pipeline.experiment.held_out_clicks import NEW, HeldOutClicks
from pipeline.experiment.rows import Rows
from pipeline.experiment.spread import spread
from pipeline.experiment.user_bootstrap import percentile_interval
from transforms.item_stats import NUM_GROUPS

METRICS = {"auc": "AUC", "logloss": "LogLoss"}
# What is compared with the most frequent items.
_OTHERS: dict[str, tuple[int | str, ...]] = {
    "the rarer half": tuple(range(1, NUM_GROUPS // 2 + 1)),
    "new items": (NEW,),
}


def make_rows(
    baseline: Sequence[np.ndarray],
    predictions: Sequence[np.ndarray],
    clicks: HeldOutClicks,
    truth: np.ndarray | None = None,
) -> Rows:
    """One row a frequency group that occurs, from the rarest on, new items last.

    Args:
        baseline: predictions of IDs alone for the test split, float32 `[impressions]`, by seed.
        predictions: those of SimTier and MAKE together, of the same seeds.
        clicks: the test split.
        truth: the true click probabilities, float32 `[impressions]`; None where nobody knows them.
    Returns:
        "group", 1 to 8 or "new"; "impressions"; "id" and "simtier_make", of each "auc" and "logloss" as `spread`
        gives them; "oracle", the same single values of the truth, and "headroom", by metric how much of the way
        from IDs alone to the oracle SimTier and MAKE go (of the means; None where the oracle is not better), both
        None without the truth; "auc_improvement" and "logloss_improvement", relative to IDs alone and positive
        where embeddings help, as `gain` gives them, with "users" beside, their 95 % bootstrap interval over test
        users; "others_above", in group 8 alone, by metric how far the improvements of the rarer half (weighted by
        impressions) and of new items lie above its own, given in the same way, as far as there are such items;
        None in the other groups.
    """
    models = [*baseline, *predictions, *([] if truth is None else [truth])]
    by_group = zip(*(clicks.measure(one)["groups"] for one in models), strict=True)
    rows = [_row(measured, len(baseline)) for measured in by_group]
    resampled = resample(baseline, predictions, clicks)
    for index, row in enumerate(rows):
        for metric in METRICS:
            _add_users(row[f"{metric}_improvement"], resampled.improvements[metric][index])
    for row in rows:
        row["others_above"] = _others_above(rows, resampled) if row["group"] == NUM_GROUPS else None
    return rows


def findings(rows: Rows) -> dict[str, list[Finding]]:
    """Whether embeddings help in every group, and rare and new items more than the most frequent ones.

    Returns:
        The same orders, by AUC and by LogLoss.
    """
    return {f"by {label}": _findings(rows, metric) for metric, label in METRICS.items()}


def _findings(rows: Rows, metric: str) -> list[Finding]:
    return [_everywhere(rows, f"{metric}_improvement")] + [
        Finding.of_gain(f"{what} gain more than group {NUM_GROUPS}", above, write=percent_with_intervals)
        for row in rows
        if row["others_above"]
        for what, above in row["others_above"][metric].items()
    ]


def _row(measured: Sequence[dict[str, Any]], seeds: int) -> dict[str, Any]:
    """A group's row.

    Args:
        measured: of IDs alone by seed, then with embeddings by seed, then of the truth where it is known.
        seeds: how many.
    """
    ids, content, oracle = measured[:seeds], measured[seeds : 2 * seeds], measured[2 * seeds :]
    row = {
        "group": ids[0]["group"],
        "impressions": ids[0]["impressions"],
        "id": _spreads(ids),
        "simtier_make": _spreads(content),
        "oracle": _spreads(oracle) if oracle else None,
    }
    return row | {
        "headroom": {metric: _headroom(row, metric) for metric in METRICS} if oracle else None,
        "auc_improvement": relative_gain(_values(content, "auc"), _values(ids, "auc")),
        "logloss_improvement": relative_reduction(_values(content, "logloss"), _values(ids, "logloss")),
    }


def distance_to_oracle(row: dict[str, Any], metric: str, who: str = "id") -> float | None:
    """How much worse a model's mean is than the oracle's, absolute; None where one of them is not defined."""
    own, best = row[who][metric]["mean"], row["oracle"][metric]["mean"]
    if own is None or best is None:
        return None
    return best - own if metric == "auc" else own - best


def _headroom(row: dict[str, Any], metric: str) -> float | None:
    whole, left = (distance_to_oracle(row, metric, who) for who in ("id", "simtier_make"))
    return None if whole is None or left is None or whole <= 0 else (whole - left) / whole


def _others_above(rows: Rows, resampled: Resampled) -> dict[str, dict[str, Any]]:
    groups = [row["group"] for row in rows]
    often = groups.index(NUM_GROUPS)
    found: dict[str, dict[str, Any]] = {metric: {} for metric in METRICS}
    for what, wanted in _OTHERS.items():
        some = [index for index, group in enumerate(groups) if group in wanted]
        for metric in METRICS if some else ():
            name, draws = f"{metric}_improvement", resampled.improvements[metric]
            own = _weighted_seeds([rows[index] for index in some], name)
            above = gain(own, rows[often][name]["values"])
            weighted = _weighted_draws(draws[some], resampled.impressions[some])
            found[metric][what] = _add_users(above, weighted - draws[often])
    return found


def _weighted_draws(draws: np.ndarray, impressions: np.ndarray) -> np.ndarray:
    """Of each resample, over groups, weighted by their impressions in it; those without any count nothing."""
    sums = np.where(impressions > 0, draws * impressions, 0.0).sum(axis=0)
    with np.errstate(invalid="ignore"):
        return sums / impressions.sum(axis=0)


def _add_users(gain: dict[str, Any], draws: np.ndarray) -> dict[str, Any]:
    gain["users"] = None if gain["mean"] is None else percentile_interval(draws)
    return gain


def _everywhere(rows: Rows, name: str) -> Finding:
    verdicts = [judge(row[name]) for row in rows]
    verdict = NO if NO in verdicts else UNCLEAR if UNCLEAR in verdicts else YES
    known = [row for row in rows if row[name]["mean"] is not None]
    here = (
        f"above zero in {sum(row[name]['mean'] > 0 for row in known)} of {len(rows)} groups, "
        f"beyond all intervals in {verdicts.count(YES)}"
    )
    if known:
        least = min(known, key=lambda row: row[name]["mean"])
        here += f"; the least in group {least['group']}: {percent_with_intervals(least[name])}"
    return Finding("a gain in every group", here, verdict)


def _weighted_seeds(rows: Rows, name: str) -> list[float | None]:
    """Of each seed, over groups, weighted by their impressions; None where a group's is not defined."""
    weights = [row["impressions"] for row in rows]
    by_seed = zip(*(row[name]["values"] for row in rows), strict=True)
    return [None if None in values else float(np.average(values, weights=weights)) for values in by_seed]


def _spreads(seeds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {metric: spread(_values(seeds, metric)) for metric in METRICS}


def _values(seeds: Sequence[dict[str, Any]], metric: str) -> list[float | None]:
    return [one[metric] for one in seeds]
