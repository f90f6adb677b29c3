"""The pieces that the page's sections are made of."""

from collections.abc import Iterable, Sequence

from components.report.markup import Markup, join, tag


def section(title: str, lead: str, *children: object) -> Markup:
    """A part of the page with its heading and a sentence on how to read it."""
    return tag("section", tag("h2", title), tag("p", lead, class_="lead"), children)


def card(*children: object) -> Markup:
    """A framed box."""
    return tag("div", children, class_="card")


def table(head: Sequence[str], rows: Iterable[Sequence[str]], texts: int, strong_rows: int = 0) -> Markup:
    """A table with `texts` columns of text and then numbers, whose first rows are set off."""
    kinds = [None if index < texts else "n" for index in range(len(head))]
    top = tag(
        "tr", [tag("th", name, scope="col", class_=kind) for name, kind in zip(head, kinds, strict=True)]
    )
    body = [
        tag("tr", _cells(row, kinds), class_="strong" if index < strong_rows else None)
        for index, row in enumerate(rows)
    ]
    # Reachable by keyboard, since a narrow screen scrolls it.
    return tag("div", tag("table", tag("thead", top), tag("tbody", body)), class_="scroll", tabindex=0)


def _cells(row: Sequence[str], kinds: Sequence[str | None]) -> list[Markup]:
    # Long free text may break anywhere; short words keep their column narrow.
    wide = [
        "cell" if kind is None and len(cell) > 24 else kind for cell, kind in zip(row, kinds, strict=True)
    ]
    first = tag("th", row[0], scope="row", class_=wide[0])
    return [first, *(tag("td", cell, class_=kind) for cell, kind in zip(row[1:], wide[1:], strict=True))]


def tile(name: str, figure: str, hint: str, beside: str | None = None) -> Markup:
    """One figure, large, with its name and a hint, and what it compares with, if anything."""
    shown = [tag("dd", figure, class_="figure"), tag("dd", hint, class_="hint")]
    if beside is not None:
        shown.append(tag("dd", beside, class_="beside"))
    return tag("div", tag("dt", name), shown, class_="tile")


def facts(*rows: tuple[str, str, str]) -> Markup:
    """A list of small figures: names, figures, and what each says."""
    entries = [
        tag("div", tag("dt", name), tag("dd", tag("b", figure), " ", hint)) for name, figure, hint in rows
    ]
    return tag("dl", entries, class_="facts")


def verdict(blessed: bool, reasons: Iterable[str], pushed: str | None) -> Markup:
    """Whether a model beside the one of clicks was blessed, and if not, why; where it was pushed, if it was."""
    if not blessed:
        listed = tag("ul", [tag("li", reason) for reason in reasons])
        return tag("div", tag("strong", "Not blessed"), listed, class_="verdict small bad")
    if pushed is None:
        return tag("div", tag("strong", "Blessed, not pushed"), class_="verdict small bad")
    where = join([" to ", tag("code", pushed)])
    return tag("div", tag("strong", "Blessed and pushed"), where, class_="verdict small good")
