"""What the summary, the page and the terminal say of recall."""

import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from page_reader import PageReader, words
from rich.console import Console
from tfx.types import standard_artifacts

from components import artifacts
from components.report import plots
from components.report.executor import FOLDERS, Executor
from components.report.inputs import ReportInputs
from components.report.page import render_page
from components.report.recall_section import WAYS, render_recall
from components.report.run_record import RunRecord
from components.report.summary import build_summary
from components.report.table import print_summary
from transforms.input_error import InputError

WHEN = datetime(2026, 4, 1, 8, 30, tzinfo=UTC)
EVIL = "\"><script>alert(1)</script><img src=x onerror=alert(1)> ' & {{7*7}}"


def way(*values):
    """Click-recall at 5 and 20, of all 1,200 clicks, of 300 in the long tail and of 40 of new items."""
    return {
        group: {"clicks": clicks, "click_recall": {"5": at_5, "20": at_20}}
        for (group, clicks), (at_5, at_20) in zip(
            (("all", 1_200), ("long_tail", 300), ("new", 40)), values, strict=True
        )
    }


HISTORY = {
    "fusion": "conditional_output",
    "examples": 5_600,
    "seconds": 75.0,
    "curve": [
        {"step": 10, "examples": 2_800, "loss": 5.0, "seconds": 40.0},
        {"step": 20, "examples": 5_600, "loss": 4.0, "seconds": 75.0},
    ],
    "gate": [
        {"bucket": 0, "clicks": 0, "items": 1_500, "id": 0.25, "content": 1.5, "content_share": 0.875},
        {"bucket": 1, "clicks": 1, "items": 30, "id": 0.5, "content": 1.0, "content_share": 0.5},
        {"bucket": 2, "clicks": 2, "items": 7, "id": 1.0, "content": 0.75, "content_share": None},
    ],
}
LAST = {
    "k": 20,
    "stages": {"staged": way((0.1, 0.4321), (0.05, 0.22), (0.0, None))},
}
METRICS = {
    "clicks": 1_200,
    "items": 3_000,
    "k": 20,
    "num_retrieved": 600,
    "stages": {
        "retrieved": way((0.2, 0.45), (0.1, 0.21), (0.01, 0.02)),
        "staged": way((0.25, 0.5), (0.125, 0.24), (0.03, 0.075)),
        "exact": way((0.26, 0.51), (0.13, 0.25), (0.035, 0.08)),
        "popular": way((0.0625, 0.1), (0.0, 0.0), (0.0, None)),
    },
    "recalled": {"mean_clicks": 12.5, "long_tail_share": 0.375, "new_share": 0.0, "coverage": 0.8125},
    "random_cosine": 0.1875,
    "last_blessed": LAST,
    "validation": {"ok": True, "reasons": []},
}
INDEX = {
    "items": 3_000,
    "search": "scann",
    "version": "0123456789abcdef",
    "build_seconds": 1.5,
    "index_recall": {"20": 0.984, "600": 0.96},
    "click_recall": {"exact": {"20": 0.45, "600": 0.9}, "index": {"20": 0.44, "600": 0.89}},
    "validation": {"ok": True, "reasons": []},
}
REFUSED = METRICS | {
    "validation": {"ok": False, "reasons": ["click_recall@20 is too low"]},
    "last_blessed": None,
}
NOT_BUILT = {
    "items": 3_000,
    "validation": {"ok": False, "reasons": ["the model was not blessed, so that no index was built"]},
}


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


@pytest.fixture
def make_inputs(inputs, tmp_path):
    """The run of `inputs`, with recall beside it."""

    def make(history=HISTORY, metrics=METRICS, index=INDEX, pushed=True) -> ReportInputs:
        folder = tmp_path / "root" / "artifacts"
        write_json(folder / "recall_run" / "history.json", history)
        write_json(folder / "recall_evaluation" / "metrics.json", metrics)
        write_json(folder / "index_evaluation" / "metrics.json", index)
        return replace(
            inputs,
            recall_run=str(folder / "recall_run"),
            recall_evaluation=str(folder / "recall_evaluation"),
            index_evaluation=str(folder / "index_evaluation"),
            pushed_recall=str(tmp_path / "root" / "serving" / "recall" / "7") if pushed else None,
        )

    return make


def page_of(inputs, root):
    record = RunRecord.load(inputs)
    return render_page(record, build_summary(record, [], root), WHEN)


def printed(inputs, root, width=100):
    stream = io.StringIO()
    summary = build_summary(RunRecord.load(inputs), [], root)
    print_summary(summary, root / "report.html", Console(file=stream, width=width, highlight=False))
    return stream.getvalue()


def test_summary_of_a_pushed_model(make_inputs, tmp_path):
    summary = build_summary(RunRecord.load(make_inputs()), [], tmp_path / "root")
    assert summary["recall"] == {
        "fusion": "conditional_output",
        "k": 20,
        "num_retrieved": 600,
        "clicks": 1_200,
        # Through the stages.
        "click_recall@K": 0.5,
        "long_tail_click_recall@K": 0.24,
        "new_click_recall@K": 0.075,
        "index_recall@K": 0.984,
        "stages": METRICS["stages"],
        "recalled": METRICS["recalled"],
        "random_cosine": 0.1875,
        "index": {
            "search": "scann",
            "items": 3_000,
            "index_recall": {"20": 0.984, "600": 0.96},
            "build_seconds": 1.5,
        },
        "last_blessed": {
            "click_recall@K": 0.4321,
            "long_tail_click_recall@K": 0.22,
            "new_click_recall@K": None,
        },
        "blessed": True,
    }
    assert summary["pushed"] == {"ctr": "pushed/ctr/1", "recall": "serving/recall/7"}
    json.dumps(summary, allow_nan=False)


def test_summary_of_a_refused_model(make_inputs, tmp_path):
    inputs = make_inputs(metrics=REFUSED, index=NOT_BUILT, pushed=False)
    summary = build_summary(RunRecord.load(inputs), [], tmp_path / "root")
    recall = summary["recall"]
    assert recall["blessed"] is False
    assert (recall["click_recall@K"], recall["index_recall@K"], recall["last_blessed"]) == (0.5, None, None)
    assert recall["index"] == {"search": None, "items": 3_000, "index_recall": None, "build_seconds": None}
    assert summary["pushed"] == {"ctr": "pushed/ctr/1"}


def test_a_good_model_with_an_index_that_was_refused(make_inputs, tmp_path):
    index = NOT_BUILT | {"validation": {"ok": False, "reasons": ["expected the index to find 0.95"]}}
    inputs = make_inputs(index=index, pushed=False)
    assert build_summary(RunRecord.load(inputs), [], tmp_path)["recall"]["blessed"] is False
    assert "Not blessed expected the index to find 0.95" in words(page_of(inputs, tmp_path))


def test_a_run_without_recall(record, inputs, tmp_path):
    summary = build_summary(record, [], tmp_path)
    assert summary["recall"] is None and "recall" not in summary["pushed"]
    assert render_recall(record.recall, summary["recall"], None) is None
    assert "recall" not in words(page_of(inputs, tmp_path)).lower()
    said = printed(inputs, tmp_path)
    assert "click-recall" not in said and "pushed recall" not in said


def test_a_file_of_recall_that_is_missing(make_inputs):
    inputs = make_inputs()
    Path(inputs.index_evaluation, "metrics.json").unlink()
    with pytest.raises(InputError, match=r"index_evaluation.*metrics\.json"):
        RunRecord.load(inputs)


def test_page_of_a_pushed_model(make_inputs, tmp_path):
    html = page_of(make_inputs(), tmp_path / "root")
    assert PageReader(html).open == []
    said = words(html)
    assert "Recall, fusion “conditional_output”" in said
    assert "among the 20 that are recalled out of 3,000, when 600 are retrieved" in said
    assert "Blessed and pushed to serving/recall/7" in said
    for tile in (
        "Click-recall @ 20 0.5000",
        "Long tail @ 20 0.2400",
        "New items @ 20 0.0750",
        "Index @ 20 0.9840",
    ):
        assert tile in said
    assert "last blessed 0.4321" in said and "last blessed 0.2200" in said and "last blessed n/a" in said
    # Each way, by group: clicks and click-recall at 5 and 20.
    for name, group, figures in (
        ("staged", "all clicks", "1,200 0.2500 0.5000"),
        ("staged", "of new items", "40 0.0300 0.0750"),
        ("retrieved", "of long-tail items", "300 0.1000 0.2100"),
        ("exact", "all clicks", "1,200 0.2600 0.5100"),
        ("popular", "of new items", "40 0.0000 n/a"),
    ):
        assert f"{WAYS[name]}, {group} {figures}" in said
    assert "scann over 3,000 items" in said
    assert "Random cosine 0.1875" in said
    assert "Coverage 81.2%" in said and "Long tail 37.5% of what is recalled" in said
    assert "New items 0% of what is recalled" in said
    assert "1 min 15 s 5,600 clicks" in said
    assert "Training of the recall model" in said and "Gate weights" in said


def test_page_of_a_refused_model(make_inputs, tmp_path):
    said = words(page_of(make_inputs(metrics=REFUSED, index=NOT_BUILT, pushed=False), tmp_path))
    assert (
        "Not blessed click_recall@20 is too low the model was not blessed, so that no index was built" in said
    )
    assert "Index @ 20 n/a" in said and "not built over 3,000 items" in said
    assert "last blessed 0" not in said


def test_page_of_a_good_model_that_was_not_pushed(make_inputs, tmp_path):
    assert "Blessed, not pushed" in words(page_of(make_inputs(pushed=False), tmp_path))


def test_page_without_clicks_and_without_gates(make_inputs, tmp_path):
    nothing = {
        group: {"clicks": 0, "click_recall": {"5": None, "20": None}} for group in ("all", "long_tail", "new")
    }
    recalled = dict.fromkeys(("mean_clicks", "long_tail_share", "new_share")) | {"coverage": 0.0}
    metrics = REFUSED | {
        "clicks": 0,
        "stages": dict.fromkeys(WAYS, nothing),
        "recalled": recalled,
        "random_cosine": None,
    }
    history = HISTORY | {"fusion": "id", "gate": None, "curve": []}
    index = INDEX | {"index_recall": {"20": None, "600": None}}
    inputs = make_inputs(history, metrics, index)
    html = page_of(inputs, tmp_path)
    assert PageReader(html).open == []
    said = words(html)
    assert "No click in the test days." in said and "Gate weights" not in said
    assert "Random cosine n/a" in said and "Long tail n/a of what is recalled" in said
    assert "Click-recall @ 20 n/a" in said
    assert "n/a" in printed(inputs, tmp_path)


def test_every_string_from_data_is_escaped(make_inputs, tmp_path):
    metrics = REFUSED | {"validation": {"ok": False, "reasons": [EVIL]}}
    inputs = make_inputs(HISTORY | {"fusion": EVIL}, metrics, NOT_BUILT | {"search": EVIL}, pushed=False)
    reader = PageReader(page_of(inputs, tmp_path))
    assert reader.open == []
    assert not {"script", "img"} & {name for name, _ in reader.elements}
    record = RunRecord.load(make_inputs(HISTORY, METRICS, INDEX))
    summary = build_summary(record, [], tmp_path)
    pushed = render_recall(record.recall, summary["recall"], EVIL)
    assert pushed is not None and "script" not in {name for name, _ in PageReader(str(pushed)).elements}


def test_terminal(make_inputs, tmp_path):
    said = printed(make_inputs(), tmp_path / "root")
    assert said.isascii() and "Recall, fusion conditional_output, 1,200 test clicks" in said
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in said.splitlines()]
    for name, figures in (
        ("staged", ["0.5000", "0.2400", "0.0750"]),
        ("retrieved", ["0.4500", "0.2100", "0.0200"]),
        ("exact", ["0.5100", "0.2500", "0.0800"]),
        ("popular", ["0.1000", "0.0000", "n/a"]),
    ):
        assert [WAYS[name], *figures] in lines
    assert "pushed recall: serving/recall/7" in said.splitlines()
    tables = [line for line in said.splitlines() if line.startswith(("|", "+"))]
    assert max(len(line) for line in tables) <= 100


def test_terminal_of_a_refused_model(make_inputs, tmp_path):
    said = printed(make_inputs(metrics=REFUSED, index=NOT_BUILT, pushed=False), tmp_path)
    assert "pushed recall: nothing, the model is not blessed (the report says why)" in said.splitlines()


def test_narrow_terminal(make_inputs, tmp_path):
    said = printed(make_inputs(), tmp_path, width=80)
    tables = [line for line in said.splitlines() if line.startswith(("|", "+"))]
    assert max(len(line) for line in tables) <= 80
    assert "0.5000" in said and "0.2400" in said and "0.0750" in said


def test_bars_of_the_gates_are_as_high_as_their_weights():
    html = str(plots.gate_plot(HISTORY["gate"]))
    reader = PageReader(html)
    content, ids = reader.of("rect", "bar"), reader.of("rect", "bar beside")
    assert len(content) == len(ids) == 3
    unit = float(content[1]["height"])  # 1.0
    assert [float(bar["height"]) / unit for bar in content] == pytest.approx([1.5, 1.0, 0.75], abs=0.01)
    assert [float(bar["height"]) / unit for bar in ids] == pytest.approx([0.25, 0.5, 1.0], abs=0.01)
    # From few clicks to many; both of a bucket side by side.
    assert float(content[0]["x"]) < float(ids[0]["x"]) < float(content[1]["x"])
    said = words(html)
    assert "0 1.5000 0.2500 0.8750 1,500 1 1.0000 0.5000 0.5000 30 2 0.7500 1.0000 n/a 7" in said
    assert "1.5k" in said


def test_gate_that_reads_no_clicks():
    html = str(
        plots.gate_plot(
            [{"bucket": 0, "clicks": 0, "items": 9, "id": 0.5, "content": 1.0, "content_share": 0.25}]
        )
    )
    assert len(PageReader(html).of("rect")) == 2
    assert PageReader(str(plots.gate_plot([]))).of("rect") == []


def points(attributes):
    return [tuple(float(number) for number in pair.split(",")) for pair in attributes["points"].split()]


def test_lines_of_click_recall():
    stages = {
        "staged": {"all": {"click_recall": {"10": 0.25, "100": 0.5, "1000": 1.0}}},
        "popular": {"all": {"click_recall": {"10": 0.125, "100": 0.25, "1000": None}}},
    }
    reader = PageReader(str(plots.recall_plot(stages, WAYS)))
    staged, popular = points(reader.of("polyline", "curve")[0]), points(reader.of("polyline", "second")[0])
    axis = points(reader.of("polyline", "axis")[0])
    floor = axis[0][1]
    # Ten times as many items are always as far along, and twice the share is twice as high.
    assert staged[1][0] - staged[0][0] == pytest.approx(staged[2][0] - staged[1][0], abs=0.2)
    heights = [floor - y for _, y in staged]
    assert heights[1] / heights[0] == pytest.approx(2, abs=0.01)
    assert heights[2] / heights[1] == pytest.approx(2, abs=0.01)
    assert [floor - y for _, y in popular] == pytest.approx([heights[0] / 2, heights[0]], abs=0.15)
    assert len(reader.of("circle")) == 5


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_click_recall_at_a_single_k(value):
    at_one = {"all": {"click_recall": {"1": value}}}
    stages = {"staged": at_one, "popular": at_one}
    html = str(plots.recall_plot(stages, WAYS))
    assert not re.search(r'="[^"]*(nan|inf)', html)
    assert len(PageReader(html).of("circle")) == 2


TYPES = {
    "rejects": artifacts.Rejects,
    "item_stats": artifacts.ItemStats,
    "anomalies": standard_artifacts.ExampleAnomalies,
    "model_run": standard_artifacts.ModelRun,
    "evaluation": standard_artifacts.ModelEvaluation,
    "blessing": standard_artifacts.ModelBlessing,
    "recall_run": standard_artifacts.ModelRun,
    "recall_evaluation": standard_artifacts.ModelEvaluation,
    "index_evaluation": standard_artifacts.ModelEvaluation,
}


def artifact(kind, uri):
    made = kind()
    made.uri = str(uri)
    return made


@pytest.mark.parametrize("blessed", [True, False])
def test_executor(make_inputs, tmp_path, blessed):
    inputs = make_inputs() if blessed else make_inputs(metrics=REFUSED, index=NOT_BUILT, pushed=False)
    given = {name: [artifact(kind, getattr(inputs, name))] for name, kind in TYPES.items()}
    assert set(FOLDERS) < set(given)
    for name in ("pushed_model", "pushed_recall"):
        pushed = artifact(standard_artifacts.PushedModel, tmp_path / name)
        destination = getattr(inputs, name)
        pushed.set_int_custom_property("pushed", int(destination is not None))
        pushed.set_string_custom_property("pushed_destination", destination or "")
        given[name] = [pushed]
    report = tmp_path / "report"
    properties = {"root": str(tmp_path / "root"), "monitoring": inputs.monitoring}
    Executor().Do(given, {"report": [artifact(artifacts.Report, report)]}, properties)
    assert ReportInputs.from_json((report / "inputs.json").read_text()) == inputs
    summary = json.loads((report / "summary.json").read_text())
    assert summary["recall"]["blessed"] is blessed
    assert summary["pushed"].get("recall") == ("serving/recall/7" if blessed else None)
    assert "Recall, fusion" in (report / "report.html").read_text()
