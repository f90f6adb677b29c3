"""The entry point of a container, up to the stage itself."""

import json
import logging

import pytest

from pipeline.kubeflow import stage
from pipeline.kubeflow.artifact_metadata import FIELD
from pipeline.pipeline import create_pipeline
from pipeline.presets import preset

ALL_NODES = ",".join(node.id for node in create_pipeline("", "/root", preset("tiny")).components)


@pytest.fixture
def command(tmp_path):
    """Runs a stage with the outputs `model` and `model_run` and no input; gives status and output file."""

    def run(*flags, node="RecallTrainer", given=None):
        output_file = tmp_path / "outputs" / "output_metadata.json"
        outputs = {
            name: {"artifacts": [{"name": name, "uri": f"minio://b/{name}"}]}
            for name in ("model", "model_run")
        }
        message = {"outputs": {"artifacts": outputs, "outputFile": str(output_file)}}
        places = [f"--root={tmp_path}", f"--logs={tmp_path}/logs", f"--node={node}"]
        given = json.dumps(message) if given is None else given
        return stage.main([*places, *flags, f"--executor_input={given}"]), output_file

    return run


def test_a_stage_that_the_run_does_not_have_gives_nothing_and_says_so(command, caplog):
    with caplog.at_level(logging.INFO):
        status, output_file = command("--preset=tiny", '--settings={"train_recall": false}')
    assert status == 0
    assert "RecallTrainer is no stage of this run: it gives nothing" in caplog.text
    answer = json.loads(output_file.read_text())["artifacts"]
    assert {name: entry["artifacts"][0]["metadata"] for name, entry in answer.items()} == {
        "model": {FIELD: "[]"},
        "model_run": {FIELD: "[]"},
    }


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--preset=tiny"],
            "RecallTrainer takes examples from LogIngest, which the compiled pipeline does not",
        ),
        (["--preset=tinny"], "unknown preset 'tinny'"),
        (["--preset=tiny", '--settings={"ctr": {"epoch": 1}}'], "epoch"),
        (["--preset=tiny", "--date=2024-01-31"], "no date, for it was compiled without --daily"),
        (["--preset=tiny", "--daily"], "a date, for it was compiled with --daily; got date ''"),
        (["--preset=tiny", "--daily", "--date=2024-01-31..2024-02-01"], "a run on Kubeflow is one day"),
        (["--preset=tiny", "--daily", "--date=yesterday"], "--date must be a day such as 2024-01-31"),
        (
            ["--preset=tiny", f"--nodes={ALL_NODES.replace(',IdBaseline', '').replace(',Release', '')}"],
            "the compiled pipeline lacks IdBaseline, Release: compile it anew",
        ),
    ],
)
def test_mistakes_end_in_one_line(command, capsys, flags, message):
    status, output_file = command(*flags)
    said = capsys.readouterr().err.splitlines()
    assert status == 1 and not output_file.exists()
    assert [line for line in said if line.startswith("adlens: RecallTrainer: ") and message in line] == said[
        -1:
    ]
    assert "Traceback" not in "".join(said)


def test_a_message_that_is_none_ends_in_one_line(command, capsys):
    status, _ = command("--preset=tiny", given="{}")
    assert status == 1
    assert "adlens: RecallTrainer: --executor_input must be the ExecutorInput" in capsys.readouterr().err


def test_logs_that_are_missing_end_in_one_line(command, capsys):
    status, _ = command("--preset=tiny", node="LogIngest")
    said = capsys.readouterr().err
    assert status == 1
    assert "adlens: LogIngest: " in said and "logs" in said and "Traceback" not in said


def test_a_defect_is_shown_whole(command, capsys, monkeypatch):
    from pipeline.kubeflow import perform

    def broken(options):
        raise RuntimeError("some defect")

    monkeypatch.setattr(perform, "perform", broken)
    status, _ = command("--preset=tiny")
    said = capsys.readouterr().err
    assert status == 1
    assert "RuntimeError: some defect" in said and said.endswith(
        "adlens: RecallTrainer: failed, as said above\n"
    )
