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


def test_model_beside_ids_alone_and_the_last_blessed_one(compared_record):
    said = printed(build_summary(compared_record, [], Path("/root")))
    assert said.isascii()
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in said.splitlines()]
    assert ["all", "10", "0.7500", "0.7000", "0.5000", "1.1000"] in lines
    assert ["all, model id", "10", "0.7000", "0.7100", "0.5300", "1.0000"] in lines
    assert ["all, last blessed", "10", "0.8000", "n/a", "0.4000", "0.9000"] in lines
    assert ["all", "0.7500", "0.7000", "+0.0500", "0.5000", "0.5300", "-0.0300"] in lines
    assert ["group 1", "0.6000", "0.5500", "+0.0500", "0.5500", "0.6000", "-0.0500"] in lines
    assert ["new", "n/a", "n/a", "n/a", "0.4500", "0.4000", "+0.0500"] in lines
    tables = [line for line in said.splitlines() if line.startswith(("|", "+"))]
    assert max(len(line) for line in tables) <= 80


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


def test_encoders(encoder_record, tmp_path):
    said = printed(build_summary(encoder_record, [], tmp_path / "root"), width=100)
    assert said.isascii()
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in said.splitlines()]
    assert ["image, scl", "1,600", "0.6125", "0.8750", "0.1250"] in lines
    assert ["image, easy", "1,000", "0.9700", "1.0000", ""] in lines
    assert ["text, scl", "1,600", "0.3000", "0.8750", "0.1250"] in lines
    assert ["image, between", "0", "n/a", "n/a", ""] not in lines
    # 1,900 of 2,000 pictures, all 2,500 titles.
    assert "embeddings: 3,000 items, image 95.0% of those with one, text 100.0% of those with one" in said
    assert "pushed: pushed/ctr/1" in said.splitlines()
    assert "pushed image_encoder: pushed/image_encoder/3" in said.splitlines()
    assert "pushed text_encoder: nothing, the model is not blessed (the report says why)" in said.splitlines()


def test_a_run_without_encoders_has_no_table_of_them(record):
    said = printed(build_summary(record, [], Path("/root")))
    assert "Encoders," not in said and "embeddings:" not in said and "pushed image_encoder" not in said
