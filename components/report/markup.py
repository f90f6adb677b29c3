"""Builds HTML and SVG in which text cannot become markup."""

import html
from collections.abc import Iterable

VOID = frozenset({"meta", "br", "img"})


class Markup(str):
    """Text that is markup already; every other string is escaped when it enters an element."""

    __slots__ = ()


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """One element.

    Args:
        name: the element's name.
        *children: strings (escaped), Markup (as it is), numbers, None (left out), or iterables of these.
        **attributes: `class_` stands for class, `stroke_width` for stroke-width; None leaves one out.
    """
    pairs = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(_text(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in VOID:
        return Markup(f"<{name}{pairs}>")
    return Markup(f"<{name}{pairs}>{join(children)}</{name}>")


def join(children: Iterable[object]) -> Markup:
    """The children one after the other, as an element holds them."""
    return Markup("".join(_child(child) for child in children))


def _child(child: object) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, Iterable) and not isinstance(child, str):
        return join(child)
    return html.escape(_text(child))


def _text(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
