"""The recall ladder from hits to rows, to the terminal and to the page."""

import io
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from rich import box
from rich.console import Console

from pipeline.experiment.recall.rows import Recalled, findings, make_rows, tail_finding
from pipeline.experiment.recall.views import section, tables
from pipeline.experiment.rows import Rows

# Clicks 0, 1 and 2 are user 0's, click 3 is user 1's; all but the first are of the long tail, none of a new item.
USERS = np.array([0, 0, 0, 1])
GROUPS = {"is_tail": np.array([False, True, True, True]), "is_new": np.zeros(4, bool)}
FUSIONS = ["id", "content", "feature", "output", "conditional_output", "feature_conditional_output"]
ARTICLE = {
    "feature": ["id"],
    "output": ["id"],
    "conditional_output": ["id", "output"],
    "feature_conditional_output": ["id", "conditional_output"],
}


def of(
    *seeds: Sequence[int], users: np.ndarray = USERS, groups: dict[str, np.ndarray] = GROUPS
) -> list[Recalled]:
    """Hits by seed."""
    return [Recalled(np.array(hits, bool), users, groups) for hits in seeds]


IDS = of([1, 0, 0, 0], [0, 1, 0, 0])
CONDITIONAL = of([1, 1, 0, 1], [1, 0, 1, 0])
POPULAR = of([0, 0, 0, 0])


def gate(*weights: tuple[float, float]) -> list[dict[str, Any]]:
    """The weights of both experts by bucket."""
    return [
        {"bucket": b, "clicks": [0, 1, 2][b], "items": 10 - b, "id": own, "content": content}
        | {"content_share": content / 8}
        for b, (own, content) in enumerate(weights)
    ]


GATES = {
    "id": [None, None],
    "output": [gate((1.0, 1.0)), gate((1.0, 2.0))],
    "conditional_output": [gate((0.5, 1.0), (0.75, 0.5)), gate((0.25, 2.0), (1.25, 0.5))],
}


@pytest.fixture
def rows() -> Rows:
    recalled = {"conditional_output": CONDITIONAL, "popular": POPULAR, "id": IDS}
    return make_rows(recalled, GATES, 7)


def test_rows_in_the_ladders_order() -> None:
    recalled = {name: IDS for name in [*FUSIONS[::-1], "popular"]}
    made = make_rows(recalled, {}, 7)
    assert [row["fusion"] for row in made] == ["popular", *FUSIONS]
    above = {row["fusion"]: list(row["above"]) for row in made}
    # The article says nothing of content alone; it too is set against IDs alone.
    assert above == {"popular": [], "id": [], "content": ["id"], **ARTICLE}
    assert [row["paper"] for row in made] == [None, None, None, (1.6, 2.2), None, None, (4.0, 8.1)]
    assert all(row["gate"] is None for row in made)


def test_figures_by_hand(rows: Rows) -> None:
    popular, ids, conditional = rows
    assert ids["k"] == 7 and ids["clicks"] == {"all": 4, "is_tail": 3, "is_new": 0}
    assert ids["click_recall"]["values"] == [0.25, 0.25]
    assert ids["long_tail_click_recall"]["values"] == pytest.approx([0, 1 / 3])
    assert conditional["click_recall"]["values"] == [0.75, 0.5]
    assert conditional["click_recall"]["mean"] == 0.625
    # 0.25 apart: the deviation of a sample of two is 0.25 / sqrt(2).
    assert conditional["click_recall"]["std"] == pytest.approx(0.25 / 2**0.5)
    assert conditional["long_tail_click_recall"]["values"] == pytest.approx([2 / 3, 1 / 3])
    assert conditional["new_click_recall"] == {"mean": None, "std": None, "values": [None, None]}
    assert (popular["click_recall"]["values"], popular["click_recall"]["std"]) == ([0.0], None)


def test_gains_over_seeds_and_users(rows: Rows) -> None:
    above = rows[2]["above"]["id"]
    assert above["click_recall"]["values"] == [0.5, 0.25]
    assert above["long_tail_click_recall"]["values"] == pytest.approx([2 / 3, 0])
    # Seed by seed, how much more the long tail gains.
    assert above["tail_over_all"]["values"] == pytest.approx([2 / 3 - 0.5, 0 - 0.25])
    # Over the seeds the clicks gain 0.5, 0, 0.5 and 0.5: user 0 1/3 by three clicks, user 1 0.5 by one. Two users
    # are drawn: user 0 twice, both ((1 + 0.5) / 4), or user 1 twice.
    assert above["click_recall"]["users"] == pytest.approx({"low": 1 / 3, "high": 0.5})
    # In the long tail user 0 has the clicks that gain 0 and 0.5.
    assert above["long_tail_click_recall"]["users"] == pytest.approx({"low": 0.25, "high": 0.5})
    new = above["new_click_recall"]
    assert (new["mean"], new["users"]) == (None, None)


def test_users_without_a_click_of_the_group_do_not_count() -> None:
    # User 0 has none in the long tail, user 1 only one that gains nothing, user 2 two that gain 0 and 1.
    users, tail = (
        np.array([0, 1, 2, 2]),
        {"is_tail": np.array([False, True, True, True]), "is_new": np.ones(4, bool)},
    )
    first, second = (of(hits, users=users, groups=tail) for hits in ([1, 0, 0, 1], [0, 0, 0, 0]))
    above = make_rows({"id": second, "output": first}, {}, 7)[1]["above"]["id"]
    # User 1 twice, user 2 twice; with user 0 among those drawn the means would reach 1.
    assert above["long_tail_click_recall"]["users"] == pytest.approx({"low": 0.0, "high": 0.5})
    assert above["click_recall"]["users"]["high"] == 1.0
    assert above["new_click_recall"] == above["click_recall"]


def test_gates_over_the_seeds(rows: Rows) -> None:
    assert [row["gate"] is None for row in rows] == [True, True, False]
    none, one = rows[2]["gate"]
    assert (none["clicks"], none["items"]) == (0, 10) and (one["clicks"], one["items"]) == (1, 9)
    assert none["content"]["values"] == [1.0, 2.0] and none["content"]["mean"] == 1.5
    assert none["id"]["mean"] == 0.375 and one["id"]["mean"] == 1.0
    assert one["content"]["std"] == 0.0


def verdicts(found: list[Any]) -> list[str]:
    return [finding.verdict for finding in found]


def test_findings() -> None:
    # Each user gains by all that is said: a single seed has no interval over seeds.
    users = np.array([0, 0, 1, 1])
    groups = {"is_tail": np.array([True, False, True, False]), "is_new": np.zeros(4, bool)}
    hits = {
        "id": [0, 0, 0, 0],
        "feature": [0, 0, 0, 0],
        "output": [1, 0, 0, 0],
        "conditional_output": [1, 1, 1, 1],
        "feature_conditional_output": [1, 0, 1, 0],
    }
    recalled = {name: of(own, users=users, groups=groups) for name, own in hits.items()}
    rows = make_rows(recalled, {}, 7)
    found = findings(rows)
    assert list(found) == ["over all clicks", "in the long tail"]
    # feature above id, output above id, conditional above id and above output, both above id and conditional.
    # User 1 gains nothing by output, nor over conditional_output in the long tail of which all have everything.
    assert verdicts(found["over all clicks"]) == ["unclear", "unclear", "yes", "yes", "yes", "no"]
    assert verdicts(found["in the long tail"]) == ["unclear", "unclear", "yes", "unclear", "yes", "unclear"]
    assert found["over all clicks"][2].order == "conditional output above IDs alone"
    assert found["over all clicks"][2].here.startswith("+1.0000")
    # The long tail gains as much as all, and twice as much.
    tail = tail_finding(rows)
    assert verdicts(tail) == ["unclear", "yes"] and tail[1].here == "+0.5000"


def test_fusions_that_were_not_trained_are_left_out(rows: Rows) -> None:
    assert [finding.order for finding in findings(rows)["over all clicks"]] == [
        "conditional output above IDs alone"
    ]
    alone = make_rows({"conditional_output": CONDITIONAL}, GATES, 7)
    assert findings(alone) == {"over all clicks": [], "in the long tail": []} and tail_finding(alone) == []


def printed(rows: Rows) -> str:
    stream = io.StringIO()
    for table in tables(rows, box.ASCII2):
        Console(file=stream, width=200).print(table)
    return stream.getvalue()


def test_the_terminal(rows: Rows) -> None:
    said = printed(rows)
    assert "Recall, click-recall@7 (all clicks 4, long tail 3, new items 0): 2 seeds" in said
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in said.splitlines()]
    assert ["the most clicked", "0.0000", "0.0000", "n/a", "", ""] in cells
    (row,) = [row for row in cells if row[0] == "conditional output" and len(row) == 6]
    assert row[1:4] == ["0.6250 ± 0.1768", "0.5000 ± 0.2357", "n/a"]
    # Student's t of one degree of freedom, 12.7062, times 0.1768 / sqrt(2).
    assert row[4] == "+0.3750" and "+0.3750 [-1.2133, +1.9633]" in said
    # Shares of 1/8 and 2/8, deviation 1/8 / sqrt(2).
    assert ["0", "10", "1.5000 ± 0.7071", "0.3750 ± 0.1768", "0.1875 ± 0.0884"] in cells
    assert "the article's orders" in said and "the long tail" in said


def test_the_page(rows: Rows) -> None:
    page = str(section(rows))
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))
    assert "Recall: from IDs alone to gated experts" in text and "2 seeds" in text
    assert "conditional output 0.6250 ± 0.1768" in text
    assert "Gate weights, conditional output" in text and "Content&#x27;s part" in text
    assert not re.search(r'="[^"]*(nan|inf)', page)


def test_rows_without_gates_and_without_ids_have_views() -> None:
    for recalled in ({"popular": POPULAR, "id": IDS}, {"content": CONDITIONAL}):
        rows = make_rows(recalled, {}, 7)
        assert "Gate" not in printed(rows)
        assert "Gate weights" not in str(section(rows))


def test_a_gate_that_reads_no_clicks_is_no_curve() -> None:
    rows = make_rows({"id": IDS, "output": CONDITIONAL}, GATES, 7)
    assert len(rows[1]["gate"]) == 1
    assert "Gate" not in printed(rows)
