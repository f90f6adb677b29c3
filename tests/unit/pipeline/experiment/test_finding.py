import io
import re

import pytest
from rich import box
from rich.console import Console

from pipeline.experiment.finding import Finding, judge, summarize
from pipeline.experiment.findings_view import findings_card, findings_table


def difference(mean: float | None, low: float | None, high: float | None, **users: object) -> dict:
    return {"mean": mean, "std": None, "values": [], "low": low, "high": high, **users}


@pytest.mark.parametrize(
    ("gain", "expected"),
    [
        (difference(0.2, 0.1, 0.3), "yes"),
        (difference(-0.2, -0.3, -0.1), "no"),
        (difference(0.2, -0.1, 0.5), "unclear"),
        (difference(-0.2, -0.5, 0.1), "unclear"),
        # What other users might overthrow is not sure, however well the seeds agree.
        (difference(0.2, 0.1, 0.3, users={"low": -0.1, "high": 0.5}), "unclear"),
        (difference(0.2, 0.1, 0.3, users={"low": 0.1, "high": 0.5}), "yes"),
        (difference(0.2, 0.1, 0.3, users=None), "yes"),
        # A single seed.
        (difference(0.2, None, None), "yes"),
        (difference(0.2, None, None, users={"low": -0.1, "high": 0.5}), "unclear"),
        (difference(0.0, None, None), "unclear"),
        (difference(None, None, None), "unclear"),
    ],
)
def test_verdicts(gain: dict, expected: str) -> None:
    assert judge(gain) == expected
    opposite = {"yes": "no", "no": "yes", "unclear": "unclear"}
    assert judge(gain, rises=False) == opposite[expected]


FINDINGS = [
    Finding.of_gain("a above b", difference(0.0123, 0.0101, 0.0145, users={"low": 0.01, "high": 0.02})),
    Finding.of_gain("<b> above c", difference(-0.0123, -0.0145, -0.0101)),
    Finding.of_gain("c above d", difference(0.01, -0.01, 0.03)),
    Finding.of_gain("d above e", difference(0.01, -0.01, 0.03)),
]


def test_what_is_said() -> None:
    assert FINDINGS[0].here == "+0.0123 [+0.0101, +0.0145], users [+0.0100, +0.0200]"
    assert FINDINGS[1].here == "-0.0123 [-0.0145, -0.0101]"
    assert summarize(FINDINGS) == (
        "1 of 4 of the paper's orders holds here. The opposite shows here of: <b> above c. "
        "Too close to tell: c above d; d above e."
    )
    assert summarize(FINDINGS[:1] * 2) == "2 of 2 of the paper's orders hold here."


def test_the_card_has_each_order_with_its_verdict() -> None:
    page = findings_card("T", "P", {"by GAUC": FINDINGS, "by AUC": FINDINGS[::-1]})
    assert "&lt;b&gt; above c" in page and "<b>" not in page
    rows = [re.findall(r'class="chip (\w+)">(\w+)<', row) for row in page.split("<tr>")[2:]]
    assert rows[0] == [("good", "yes"), ("open", "unclear")]
    assert rows[1] == [("bad", "no"), ("open", "unclear")]
    assert "By GAUC: 1 of 4" in page and "By AUC: 1 of 4" in page


def test_a_card_without_an_order_says_what_the_paper_found() -> None:
    page = findings_card("T", "It rises.", {"by GAUC": []})
    assert "It rises." in page and "orders" not in page and "<table" not in page


def test_the_terminal_has_them_too() -> None:
    console = Console(file=io.StringIO(), width=120)
    console.print(findings_table("T", {"by GAUC": FINDINGS}, box.ASCII2))
    line = next(line for line in console.file.getvalue().splitlines() if "<b> above c" in line)
    assert "-0.0123 [-0.0145, -0.0101]" in line and "| no" in line
