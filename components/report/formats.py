"""How numbers are shown, the same on the page and in the terminal."""

MISSING = "n/a"


def count(value: int | None) -> str:
    """12345 -> 12,345."""
    return MISSING if value is None else f"{value:,}"


def compact(value: float) -> str:
    """12345 -> 12.3k: for the little room of a plot."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        # From 999.5 of a unit on, three digits would round up to the next one.
        if abs(value) >= size * 0.9995:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def metric(value: float | None) -> str:
    """Four decimals: the second is what a model gains, the fourth is noise."""
    return MISSING if value is None else f"{value:.4f}"


def difference(value: float | None, other: float | None) -> str:
    """How far a metric lies above another model's, with its sign."""
    return MISSING if value is None or other is None else f"{value - other:+.4f}"


def share(part: float, whole: float) -> str:
    """A fraction as a percentage; never 0% of something that is there, nor 100% where something is missing."""
    if not whole:
        return MISSING
    if not part:
        return "0%"
    percent = 100 * part / whole
    if percent < 0.01:
        return "<0.01%"
    if 99.95 <= percent < 100:
        return ">99.9%"
    return f"{percent:.2f}%" if percent < 10 else f"{percent:.1f}%"


def seconds(value: float) -> str:
    """0.42 -> 0.4 s, 75 -> 1 min 15 s, 3725 -> 1 h 2 min."""
    if value < 59.95:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
