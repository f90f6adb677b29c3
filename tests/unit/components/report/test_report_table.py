import io
from pathlib import Path

from rich.console import Console

from components.report.summary import build_summary
from components.report.table import print_summary

REPORT = Path("/a/rather/long/path/with spaces and/many/folders/down/to/the/root/of/a/run/report.html")


def printed(summary, width=80, terminal=False):
    stream = io.StringIO()
    print_summary(
        summary, REPORT, Console(file=stream, width=width, force_terminal=terminal, highlight=False)
    )
    return stream.getvalue()


def test_plain_output_is_ascii_without_colors(record):
    said = printed(build_summary(record, [], Path("/root")))
    assert said.isascii()
    assert "\x1b" not in said
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in said.splitlines()]
    assert ["all", "10", "0.7500", "0.7000", "0.5000", "1.1000"] in lines
    assert ["group 1", "4", "0.6000", "0.6250", "0.5500", "1.2500"] in lines
    assert ["new", "6", "n/a", "n/a", "0.4500", "n/a"] in lines
    # Five of 100 impressions were rejected, for two reasons, the more frequent one first.
    row = next(cells for cells in lines if cells[0] == "impressions")
    assert row[1:4] == ["100", "95", "5"]
    assert row[4].startswith("unknown item_id 3")


def test_terminal_has_colors(record):
    assert "\x1b[" in printed(build_summary(record, [], Path("/root")), terminal=True)


def test_paths_stay_on_one_line_and_tables_within_the_width(record, tmp_path):
    said = printed(build_summary(record, [], tmp_path / "root"), width=60)
    assert f"report: {REPORT}" in said.splitlines()
    assert "pushed: pushed/ctr/1" in said.splitlines()
    tables = [line for line in said.splitlines() if line.startswith(("|", "+"))]
    assert max(len(line) for line in tables) <= 60


def test_reason_with_brackets_is_printed_as_it_is(record):
    summary = build_summary(record, [], Path("/root"))
    summary["logs"]["rejects"] = {"catalog": {"[red]odd[/red] [/]": 1}}
    assert "[red]odd[/red] [/] 1" in printed(summary, width=120)


def test_model_that_is_not_blessed(record):
    summary = build_summary(record, [], Path("/root"))
    summary["pushed"], summary["ctr"]["blessed"] = {}, False
    assert "the model is not blessed" in printed(summary)
