import json
from dataclasses import replace
from pathlib import Path

import pytest

from components.report.writer import write_report
from transforms.input_error import InputError


def test_writes_both_files_below_root(inputs, tmp_path):
    stages = [{"name": "LogIngest", "seconds": 4.5, "cached": True}]
    root = tmp_path / "root"
    summary = write_report(inputs, stages, root)
    assert json.loads((root / "summary.json").read_text()) == summary
    assert summary["stages"] == stages
    assert (root / "report.html").read_text().startswith("<!doctype html>")
    assert sorted(path.name for path in root.iterdir()) == ["artifacts", "report.html", "summary.json"]


def test_another_folder_keeps_paths_relative_to_root(inputs, tmp_path):
    write_report(inputs, [], tmp_path / "root", str(tmp_path / "artifact"))
    summary = json.loads((tmp_path / "artifact" / "summary.json").read_text())
    assert summary["pushed"] == {"ctr": "pushed/ctr/1"}
    assert not (tmp_path / "root" / "summary.json").exists()


def test_missing_input_writes_nothing(inputs, tmp_path):
    with pytest.raises(InputError, match=r"counts\.json"):
        write_report(replace(inputs, rejects=str(tmp_path / "nowhere")), [], tmp_path / "root")
    assert not Path(tmp_path, "root", "report.html").exists()
