"""How a figure over several seeds is written."""

from typing import Any

from components.report import formats


def with_spread(figure: dict[str, Any]) -> str:
    """0.7474 ± 0.0021: mean and standard deviation; the mean alone of a single seed."""
    mean, std = formats.metric(figure["mean"]), figure["std"]
    return mean if std is None else f"{mean} ± {formats.metric(std)}"


def signed_with_spread(figure: dict[str, Any]) -> str:
    """+0.0517 ± 0.0040: the same of a difference."""
    sign = "+" if figure["mean"] is not None and figure["mean"] >= 0 else ""
    return sign + with_spread(figure)


def seed_count(seeds: int) -> str:
    """3 seeds."""
    return f"{seeds:,} {'seed' if seeds == 1 else 'seeds'}"
