"""From the ranks of clicked items to the ladder's rows, and what they say of the article's findings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.experiment.finding import Finding
from pipeline.experiment.gain import gain
from pipeline.experiment.rows import Rows
from pipeline.experiment.spread import spread
from pipeline.experiment.user_bootstrap import user_interval

POPULAR = "popular"
LABELS = {
    POPULAR: "the most clicked",
    "id": "IDs alone",
    "content": "content alone",
    "feature": "feature",
    "output": "output",
    "conditional_output": "conditional output",
    "feature_conditional_output": "feature + conditional output",
}
# What the article adds to IDs alone, in points of click-recall: all clicks, long tail.
PAPER = {"feature": (1.6, 2.2), "feature_conditional_output": (4.0, 8.1)}
FIGURES = {"click_recall": None, "long_tail_click_recall": "is_tail", "new_click_recall": "is_new"}
# Each fusion above another, as the article has them.
ORDERS = (
    ("feature", "id"),
    ("output", "id"),
    ("conditional_output", "id"),
    ("conditional_output", "output"),
    ("feature_conditional_output", "id"),
    ("feature_conditional_output", "conditional_output"),
)


@dataclass(frozen=True)
class Recalled:
    """Which clicks a model would have had.

    Attributes:
        hits: bool `[clicks]`, whether the clicked item was among the first K.
        users: int64 `[clicks]`, a number for each user, from 0.
        groups: bool `[clicks]` by name, which clicks count.
    """

    hits: np.ndarray
    users: np.ndarray
    groups: Mapping[str, np.ndarray]

    def click_recall(self, group: str | None) -> float | None:
        """The share of the group's clicks, None where it has none."""
        hits = self.hits if group is None else self.hits[self.groups[group]]
        return float(hits.mean()) if hits.size else None


def make_rows(
    recalled: Mapping[str, Sequence[Recalled]],
    gates: Mapping[str, Sequence[list[dict[str, Any]] | None]],
    k: int,
) -> Rows:
    """One row a fusion, in the ladder's order, the most clicked items first.

    Args:
        recalled: by fusion and seed; of the same clicks.
        gates: by fusion and seed, as `train_recall` gives them.
        k: how many items were recalled.
    Returns:
        "fusion", "k", "clicks" by group; "click_recall", "long_tail_click_recall" and "new_click_recall", each as
        `spread` gives it; "above", by another fusion the difference of each, as `gain` gives it with "users", its
        interval over test users, beside; "gate", [{"clicks", "items", "id", "content", "content_share"}, …], the last
        three as `spread` gives them, None without a gate.
    """
    rows = []
    for fusion in (name for name in LABELS if name in recalled):
        seeds = recalled[fusion]
        others = [other for first, other in ORDERS if first == fusion and other in recalled]
        if fusion not in (POPULAR, "id") and "id" not in others and "id" in recalled:
            others.insert(0, "id")
        clicks = {"all": len(seeds[0].hits)} | {name: int(own.sum()) for name, own in seeds[0].groups.items()}
        rows.append(
            {
                "fusion": fusion,
                "k": k,
                "clicks": clicks,
                **{
                    name: spread([one.click_recall(group) for one in seeds])
                    for name, group in FIGURES.items()
                },
                "above": {other: _gains(seeds, recalled[other]) for other in others},
                "gate": _gate(gates.get(fusion, ())),
                "paper": PAPER.get(fusion),
            }
        )
    return rows


def findings(rows: Rows) -> dict[str, list[Finding]]:
    """Whether each fusion lies above the one that it goes beyond, over all clicks and in the long tail."""
    by_fusion = {row["fusion"]: row for row in rows}
    found: dict[str, list[Finding]] = {"over all clicks": [], "in the long tail": []}
    for first, other in ORDERS:
        if first not in by_fusion or other not in by_fusion[first]["above"]:
            continue
        above = by_fusion[first]["above"][other]
        order = f"{LABELS[first]} above {LABELS[other]}"
        for by, name in zip(found, FIGURES, strict=False):
            found[by].append(Finding.of_gain(order, above[name]))
    return found


def tail_finding(rows: Rows) -> list[Finding]:
    """Whether conditional output fusion gains more in the long tail than over all clicks."""
    return [
        Finding.of_gain(
            f"{LABELS[row['fusion']]} gains more in the long tail", row["above"]["id"]["tail_over_all"]
        )
        for row in rows
        if row["fusion"].endswith("conditional_output") and "id" in row["above"]
    ]


def _gains(first: Sequence[Recalled], second: Sequence[Recalled]) -> dict[str, Any]:
    found = {name: _gain(first, second, group) for name, group in FIGURES.items()}
    own, tail = (found[name]["values"] for name in ("click_recall", "long_tail_click_recall"))
    return found | {"tail_over_all": gain(tail, own)}


def _gain(first: Sequence[Recalled], second: Sequence[Recalled], group: str | None) -> dict[str, Any]:
    found = gain([one.click_recall(group) for one in first], [one.click_recall(group) for one in second])
    return found | {"users": None if found["mean"] is None else _user_interval(first, second, group)}


def _user_interval(
    first: Sequence[Recalled], second: Sequence[Recalled], group: str | None
) -> dict[str, float] | None:
    """Click-recall is the mean over users, weighted by their clicks."""
    counted = np.ones(len(first[0].hits), bool) if group is None else first[0].groups[group]
    users = first[0].users[counted]
    hits = np.mean([a.hits.astype(float) - b.hits for a, b in zip(first, second, strict=True)], axis=0)
    clicks = np.bincount(users)
    own = clicks > 0
    return user_interval(np.bincount(users, hits[counted])[own] / clicks[own], clicks[own])


def _gate(seeds: Sequence[list[dict[str, Any]] | None]) -> list[dict[str, Any]] | None:
    known = [gate for gate in seeds if gate is not None]
    if not known:
        return None
    return [
        {
            "clicks": buckets[0]["clicks"],
            "items": buckets[0]["items"],
            **{
                name: spread([bucket[name] for bucket in buckets])
                for name in ("id", "content", "content_share")
            },
        }
        for buckets in zip(*known, strict=True)
    ]
