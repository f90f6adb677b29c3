"""How far one method's figure lies above another's, and how sure that is."""

import math
from collections.abc import Sequence
from typing import Any

from scipy.special import stdtrit

from pipeline.experiment.spread import spread

CONFIDENCE = 0.95


def gain(first: Sequence[float | None], second: Sequence[float | None]) -> dict[str, Any]:
    """first - second, seed by seed, so that what both owe to a seed falls out.

    The interval is Student's for the mean of paired differences: mean ± t · std / sqrt(seeds), where t is the
    0.975 quantile with seeds - 1 degrees of freedom. It says what other seeds would give on the same test split.

    Args:
        first: the first method's figure, a seed each; None where it is not defined.
        second: the other's, of the same seeds.
    Returns:
        {"mean", "std", "values", "low", "high"}: the first three as `spread` gives them; "low" and "high" bound
        the 95 % interval, None of a single seed or where the mean is None.
    Raises:
        ValueError: if there are not as many of both.
    """
    pairs = zip(first, second, strict=True)
    return _with_interval([None if a is None or b is None else a - b for a, b in pairs])


def relative_gain(first: Sequence[float | None], second: Sequence[float | None]) -> dict[str, Any]:
    """(first - second) / second, as `gain` gives a difference; not defined where `second` is 0."""
    pairs = zip(first, second, strict=True)
    return _with_interval([None if a is None or not b else (a - b) / b for a, b in pairs])


def relative_reduction(first: Sequence[float | None], second: Sequence[float | None]) -> dict[str, Any]:
    """(second - first) / second, as `gain` gives a difference: positive where the first loses less."""
    pairs = zip(first, second, strict=True)
    return _with_interval([None if a is None or not b else (b - a) / b for a, b in pairs])


def _with_interval(differences: Sequence[float | None]) -> dict[str, Any]:
    found = spread(differences)
    if found["std"] is None:
        return {**found, "low": None, "high": None}
    seeds = len(differences)
    reach = float(stdtrit(seeds - 1, (1 + CONFIDENCE) / 2)) * found["std"] / math.sqrt(seeds)
    return {**found, "low": found["mean"] - reach, "high": found["mean"] + reach}
