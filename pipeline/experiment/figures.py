"""How a figure over several seeds is written."""

from collections.abc import Callable
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


def signed(value: float | None) -> str:
    """+0.0123: a difference."""
    return formats.MISSING if value is None else f"{value:+.4f}"


def percent(value: float | None) -> str:
    """+1.25%: a relative difference."""
    return formats.MISSING if value is None else f"{100 * value:+.2f}%"


def with_interval(gain: dict[str, Any], write: Callable[[float | None], str] = signed) -> str:
    """+0.0123 [+0.0101, +0.0145]: a difference and its interval over seeds; the difference alone of a single seed."""
    mean = write(gain["mean"])
    return mean if gain["low"] is None else f"{mean} [{write(gain['low'])}, {write(gain['high'])}]"


def with_intervals(gain: dict[str, Any], write: Callable[[float | None], str] = signed) -> str:
    """The same as `with_interval`, with the interval over users after it where there is one."""
    users = gain.get("users")
    if not users:
        return with_interval(gain, write)
    return f"{with_interval(gain, write)}, users [{write(users['low'])}, {write(users['high'])}]"


def percent_with_intervals(gain: dict[str, Any]) -> str:
    """+1.25% [+1.01%, +1.49%], users [+0.80%, +1.70%]: the same of a relative difference."""
    return with_intervals(gain, percent)


def seeds_of(figure: dict[str, Any]) -> str:
    """3 seeds: how many a figure is of."""
    return seed_count(len(figure["values"]))
