"""A figure over several seeds."""

import statistics
from collections.abc import Sequence
from typing import Any


def spread(values: Sequence[float | None]) -> dict[str, Any]:
    """Mean and standard deviation over the seeds.

    Args:
        values: of each seed, None where the figure is not defined.
    Returns:
        {"mean", "std", "values"}: "std" is that of a sample (divided by n - 1), None of a single seed; mean and
        std are None where any value is.
    """
    known = [value for value in values if value is not None]
    is_whole = bool(known) and len(known) == len(values)
    return {
        "mean": statistics.fmean(known) if is_whole else None,
        "std": statistics.stdev(known) if is_whole and len(known) > 1 else None,
        "values": list(values),
    }


def differences(first: Sequence[float | None], second: Sequence[float | None]) -> dict[str, Any]:
    """`spread` of first - second, seed by seed: what both owe to a seed falls out."""
    return spread([None if a is None or b is None else a - b for a, b in zip(first, second, strict=True)])
