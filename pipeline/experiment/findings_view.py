"""Findings for the page and for a terminal."""

from collections.abc import Mapping, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from components.report.markup import Markup, tag
from components.report.parts import card
from pipeline.experiment.finding import NO, UNCLEAR, YES, Finding, summarize

_CHIPS = {YES: "good", NO: "bad", UNCLEAR: "open"}
_RULE = (
    "Yes and no: the 95 % intervals known of the difference, over seeds (Student's t) and over test users "
    "(bootstrap), lie on one side of zero. Unclear: one of them does not. "
    "A single seed has none over seeds; where none at all is known, the sign alone decides."
)


def findings_card(
    title: str, paper: str, findings: Mapping[str, Sequence[Finding]], rule: str = _RULE
) -> Markup:
    """What the paper found, how much of it shows here, and each order with its figures.

    Args:
        title: of the card.
        paper: what the paper found, a sentence.
        findings: of the same orders, by what they are judged by, such as "by GAUC".
        rule: how a verdict comes about.
    """
    said = [
        tag("p", f"{by[0].upper()}{by[1:]}: {summarize(own)}", class_="said")
        for by, own in findings.items()
        if own
    ]
    return card(
        tag("h3", title),
        tag("p", f"The paper: {paper}", class_="note"),
        [*said, _table(findings), tag("p", rule, class_="note")] if said else None,
    )


def findings_table(title: str, findings: Mapping[str, Sequence[Finding]], style: box.Box) -> Table:
    """The same for a terminal."""
    table = Table(title=Text(title), title_justify="left", box=style)
    for name in _head(findings):
        table.add_column(name)
    for row in zip(*findings.values(), strict=True):
        cells = [text for finding in row for text in (Text(finding.here), Text(finding.verdict))]
        table.add_row(Text(row[0].order), *cells)
    return table


def _table(findings: Mapping[str, Sequence[Finding]]) -> Markup:
    head = tag("tr", [tag("th", name, scope="col") for name in _head(findings)])
    body = [
        tag("tr", tag("th", row[0].order, scope="row"), [_cells(finding) for finding in row])
        for row in zip(*findings.values(), strict=True)
    ]
    return tag("div", tag("table", tag("thead", head), tag("tbody", body)), class_="scroll", tabindex=0)


def _cells(finding: Finding) -> list[Markup]:
    chip = tag("span", finding.verdict, class_=f"chip {_CHIPS[finding.verdict]}")
    return [tag("td", finding.here), tag("td", chip)]


def _head(findings: Mapping[str, Sequence[Finding]]) -> list[str]:
    return ["the paper's order", *(name for by in findings for name in (f"here, {by}", "holds"))]
