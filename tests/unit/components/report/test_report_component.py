import json
from pathlib import Path

import pytest
from tfx import types
from tfx.types import standard_artifacts

from components import artifacts
from components.monitoring.config import MonitoringConfig
from components.report.component import Report
from components.report.executor import FOLDERS, Executor
from components.report.inputs import ReportInputs
from transforms.configuration import to_json

TYPES = {
    "rejects": artifacts.Rejects,
    "item_stats": artifacts.ItemStats,
    "anomalies": standard_artifacts.ExampleAnomalies,
    "model_run": standard_artifacts.ModelRun,
    "evaluation": standard_artifacts.ModelEvaluation,
    "blessing": standard_artifacts.ModelBlessing,
    "pushed_model": standard_artifacts.PushedModel,
}
OPTIONAL_TYPES = {
    "image_evaluation": standard_artifacts.ModelEvaluation,
    "image_run": standard_artifacts.ModelRun,
    "text_evaluation": standard_artifacts.ModelEvaluation,
    "text_run": standard_artifacts.ModelRun,
    "embeddings": artifacts.Embeddings,
    "inspection": artifacts.Inspection,
    "baseline_run": standard_artifacts.ModelRun,
    "make_run": standard_artifacts.ModelRun,
    "recall_run": standard_artifacts.ModelRun,
    "recall_evaluation": standard_artifacts.ModelEvaluation,
    "index_evaluation": standard_artifacts.ModelEvaluation,
}


def artifact(kind, uri):
    made = kind()
    made.uri = str(uri)
    return made


def run_executor(inputs, pushed_model, report, root, **pushed_encoders):
    given = {name: [artifact(TYPES[name], getattr(inputs, name))] for name in FOLDERS}
    for name, kind in OPTIONAL_TYPES.items():
        uri = getattr(inputs, name)
        given[name] = [] if uri is None else [artifact(kind, uri)]
    given["pushed_model"] = [pushed_model]
    given |= {name: [pushed] for name, pushed in pushed_encoders.items()}
    properties = {"root": str(root), "monitoring": inputs.monitoring, "date": inputs.date}
    Executor().Do(given, {"report": [artifact(artifacts.Report, report)]}, properties)


def test_pushed_run(inputs, tmp_path):
    pushed = artifact(standard_artifacts.PushedModel, tmp_path / "artifact")
    pushed.set_int_custom_property("pushed", 1)
    pushed.set_string_custom_property("pushed_destination", inputs.pushed_model)
    report = tmp_path / "report"
    run_executor(inputs, pushed, report, tmp_path / "root")
    assert sorted(path.name for path in report.iterdir()) == ["inputs.json", "report.html", "summary.json"]
    assert json.loads((report / "summary.json").read_text())["pushed"] == {"ctr": "pushed/ctr/1"}
    assert ReportInputs.from_json((report / "inputs.json").read_text()) == inputs


def test_run_that_pushed_nothing(inputs, tmp_path):
    Path(inputs.blessing, "BLESSED").rename(Path(inputs.blessing, "NOT_BLESSED"))
    pushed = artifact(standard_artifacts.PushedModel, tmp_path / "artifact")
    pushed.set_int_custom_property("pushed", 0)
    run_executor(inputs, pushed, tmp_path / "report", tmp_path / "root")
    summary = json.loads((tmp_path / "report" / "summary.json").read_text())
    assert summary["pushed"] == {}
    assert summary["ctr"]["blessed"] is False


def test_run_with_encoders(encoder_inputs, tmp_path):
    pushed = {}
    for name in ("pushed_model", "pushed_image_encoder", "pushed_text_encoder"):
        pushed[name] = artifact(standard_artifacts.PushedModel, tmp_path / name)
        destination = getattr(encoder_inputs, name)
        pushed[name].set_int_custom_property("pushed", int(destination is not None))
        pushed[name].set_string_custom_property("pushed_destination", destination or "")
    report = tmp_path / "report"
    ctr = pushed.pop("pushed_model")
    run_executor(encoder_inputs, ctr, report, tmp_path / "root", **pushed)
    summary = json.loads((report / "summary.json").read_text())
    assert summary["pushed"] == {"ctr": "pushed/ctr/1", "image_encoder": "pushed/image_encoder/3"}
    assert sorted(summary["encoder"]) == ["image", "text"]
    assert ReportInputs.from_json((report / "inputs.json").read_text()) == encoder_inputs


def test_run_beside_an_id_model(compared_inputs, tmp_path):
    pushed = artifact(standard_artifacts.PushedModel, tmp_path / "artifact")
    pushed.set_int_custom_property("pushed", 1)
    pushed.set_string_custom_property("pushed_destination", compared_inputs.pushed_model)
    run_executor(compared_inputs, pushed, tmp_path / "report", tmp_path / "root")
    assert ReportInputs.from_json((tmp_path / "report" / "inputs.json").read_text()) == compared_inputs
    summary = json.loads((tmp_path / "report" / "summary.json").read_text())
    assert summary["ctr"]["baseline"]["gauc"] == 0.71


def test_component_is_wired_by_type():
    channels = {name: types.Channel(type=kind) for name, kind in TYPES.items()}
    component = Report(**channels, root="/runs/root")
    assert component.outputs["report"].type is artifacts.Report
    defaults = {"root": "/runs/root", "monitoring": to_json(MonitoringConfig()), "date": None}
    assert component.exec_properties == defaults
    dated = Report(
        **channels, root="/runs/root", monitoring=MonitoringConfig(min_coverage=0.5), date="2026-04-02"
    )
    assert dated.exec_properties["date"] == "2026-04-02"
    assert json.loads(dated.exec_properties["monitoring"])["min_coverage"] == 0.5
    assert set(component.inputs) == set(TYPES)
    optional = {name: types.Channel(type=kind) for name, kind in OPTIONAL_TYPES.items()}
    optional |= {
        name: types.Channel(type=standard_artifacts.PushedModel)
        for name in ("pushed_image_encoder", "pushed_text_encoder", "pushed_recall")
    }
    assert set(Report(**channels, **optional, root="/runs/root").inputs) == set(TYPES) | set(optional)
    with pytest.raises(TypeError):
        Report(**{**channels, "rejects": channels["item_stats"]}, root="/runs/root")
