"""What predictions of the test split are worth, and how they compare."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.experiment.gain import gain
from pipeline.experiment.held_out_clicks import HeldOutClicks
from pipeline.experiment.spread import spread
from pipeline.experiment.user_bootstrap import user_interval

METRICS = ("auc", "gauc", "logloss")


@dataclass(frozen=True)
class Measured:
    """What a model's predictions of the test split are worth.

    Attributes:
        figures: as `HeldOutClicks.measure` gives them.
        user_aucs: float64 `[users]`, of the users with both classes.
        user_impressions: int64 `[users]`.
    """

    figures: dict[str, Any]
    user_aucs: np.ndarray
    user_impressions: np.ndarray

    @classmethod
    def of(cls, clicks: HeldOutClicks, predictions: np.ndarray) -> "Measured":
        """Measures predictions, float32 `[impressions]`."""
        return cls(clicks.measure(predictions), *clicks.user_aucs(predictions))


def spreads(seeds: Sequence[Measured], names: Sequence[str] = METRICS) -> dict[str, Any]:
    """Each of the named figures over a method's seeds, as `spread` gives it."""
    return {name: spread(values_of(seeds, name)) for name in names}


def gains(first: Sequence[Measured], second: Sequence[Measured]) -> dict[str, Any]:
    """How far the first lies above the second in AUC, GAUC and LogLoss, as `gain` gives it.

    Args:
        first: the first method's seeds.
        second: the other's, the same seeds of the same test split.
    Returns:
        By name; "gauc" has "users" beside, the `user_interval` of the seeds' mean difference, None where GAUC
        is not defined.
    """
    found = {name: gain(values_of(first, name), values_of(second, name)) for name in METRICS}
    found["gauc"]["users"] = None if found["gauc"]["mean"] is None else _user_interval(first, second)
    return found


def gauc_gain(first: Sequence[Measured], second: Sequence[Measured]) -> dict[str, Any]:
    """`gains` of GAUC alone."""
    return {"gauc": gains(first, second)["gauc"]}


def values_of(seeds: Sequence[Measured], name: str) -> list[float | None]:
    """A figure of each seed."""
    return [measured.figures[name] for measured in seeds]


def _user_interval(first: Sequence[Measured], second: Sequence[Measured]) -> dict[str, float] | None:
    differences = [a.user_aucs - b.user_aucs for a, b in zip(first, second, strict=True)]
    return user_interval(np.mean(differences, axis=0), first[0].user_impressions)
