"""The `tfx` command over the root's runner files, to pushed models, as docs/tfx_command.md says.

The first `tfx pipeline create` is a process, as a user's would be. The command's other words are called in this
one, which spares the ten seconds in which each imports TFX; what they run is a process of its own anyway.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tfx.tools.cli.cli_main import cli_group

from pipeline import cli

REPOSITORY = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.timeout(1200)
TFX = Path(sys.executable).parent / "tfx"
# A model of IDs alone: neither encoders nor recall, so that a run takes seconds.
SMALL = ["modalities=[]", "train_recall=false", "ctr.integration=id"]
# What the stages before the Evaluator do not read.
CHANGE = "evaluator.max_drop=0.9"
RUN = ("run", "create", "--pipeline_name", "adlens", "--engine")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tfx")
    assert cli.main(["simulate", "--preset", "tiny", "--out", str(folder / "logs")]) == 0
    return folder


@pytest.fixture(scope="module")
def environment(folder: Path) -> dict[str, str]:
    return {
        "LOCAL_HOME": str(folder / "local"),
        "BEAM_HOME": str(folder / "beam"),
        "ADLENS_LOGS": str(folder / "logs"),
        "ADLENS_ROOT": str(folder / "root"),
        "ADLENS_PRESET": "tiny",
        "ADLENS_SET": " ".join(SMALL),
    }


@pytest.fixture(scope="module")
def local_run(folder: Path, environment: dict[str, str]) -> Path:
    """ROOT of what `tfx` has created and run with its local engine."""
    # A user's shell does not have what importing this project sets.
    shell = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    created = subprocess.run(
        [TFX, "pipeline", "create", "--engine", "local", "--pipeline_path", REPOSITORY / "local_runner.py"],
        capture_output=True,
        check=False,
        env=shell | environment,
        text=True,
    )
    assert created.returncode == 0, created.stderr
    assert created.stdout.endswith('Pipeline "adlens" created successfully.\n')
    # Creating runs nothing.
    assert [path.name for path in (folder / "root").iterdir()] == ["run.log"]
    assert _tfx(environment, *RUN, "local").exit_code == 0
    return folder / "root"


def _tfx(environment: dict[str, str], *words: str) -> Result:
    return CliRunner().invoke(cli_group, words, env=environment)


def _create(environment: dict[str, str], engine: str, word: str = "create") -> Result:
    path = str(REPOSITORY / f"{engine}_runner.py")
    return _tfx(environment, "pipeline", word, "--engine", engine, "--pipeline_path", path)


def _pushed(root: Path) -> str:
    """The pushed model's version, of which all that a run leaves is there."""
    pushed: str = json.loads((root / "summary.json").read_text())["pushed"]["ctr"]
    assert (root / pushed / "saved_model.pb").is_file()
    assert (root / "report.html").is_file()
    return Path(pushed).name


def _stages(progress: str) -> dict[str, bool]:
    """Of each stage whether the run found it done before; Resolver nodes look anew each time."""
    lines = [line.split("] ")[1].split() for line in progress.splitlines() if line.startswith("[")]
    ended = {stage: how == ["done", "before"] for stage, *how in lines if how != ["…"]}
    return {stage: done for stage, done in ended.items() if not stage.startswith("LastBlessed")}


def test_local_engine_ends_in_a_pushed_model(local_run: Path) -> None:
    assert _pushed(local_run).isdigit()
    assert json.loads((local_run / "summary.json").read_text())["ctr"]["model"] == "id"


def test_beam_engine_goes_on_with_what_the_local_one_finished_and_pushes(
    local_run: Path, environment: dict[str, str], capfd: pytest.CaptureFixture
) -> None:
    before = _pushed(local_run)
    changed = environment | {"ADLENS_SET": " ".join([*SMALL, CHANGE])}
    assert _create(changed, "beam").exit_code == 0
    capfd.readouterr()
    assert _tfx(changed, *RUN, "beam").exit_code == 0
    done_before = _stages(capfd.readouterr().err)
    assert all(done_before[stage] for stage in ("LogIngest", "StatisticsGen", "Transform", "CtrTrainer"))
    assert not any(done_before[stage] for stage in ("Evaluator", "Pusher", "Release", "Report"))
    assert _pushed(local_run) > before


def test_adlens_run_finds_all_done(local_run: Path, folder: Path, capfd: pytest.CaptureFixture) -> None:
    settings = [f"--set={value}" for value in (*SMALL, CHANGE)]
    arguments = ["run", f"--logs={folder / 'logs'}", f"--root={local_run}", "--preset=tiny", *settings]
    pushed = _pushed(local_run)
    assert cli.main(arguments) == 0
    done_before = _stages(capfd.readouterr().err)
    assert "Pusher" in done_before and all(done_before.values())
    assert _pushed(local_run) == pushed


def test_update_compile_list_and_delete(folder: Path, environment: dict[str, str]) -> None:
    elsewhere = environment | {"LOCAL_HOME": str(folder / "another")}
    assert "No pipelines to display." in _tfx(elsewhere, "pipeline", "list", "--engine", "local").output
    assert _create(elsewhere, "local").exit_code == 0
    again = _create(elsewhere, "local")
    assert again.exit_code == 1 and again.output.endswith('Pipeline "adlens" already exists.\n')
    assert _create(elsewhere, "local", "update").exit_code == 0
    assert "adlens" in _tfx(elsewhere, "pipeline", "list", "--engine", "local").output.splitlines()
    compiled = _create(elsewhere, "local", "compile")
    assert compiled.exit_code == 0 and compiled.output.endswith("Pipeline compiled successfully.\n")
    deleted = _tfx(elsewhere, "pipeline", "delete", "--engine", "local", "--pipeline_name", "adlens")
    assert deleted.exit_code == 0
    assert not (folder / "another" / "adlens").exists()


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        (
            {"ADLENS_ROOT": ""},
            "ADLENS_ROOT is not set; expected the folder for artifacts, models and the report",
        ),
        ({"ADLENS_SET": "ctr.batch_sise=2"}, "unknown key ctr.batch_sise; did you mean batch_size?"),
    ],
)
def test_mistakes_end_in_one_line(
    wrong: dict[str, str], line: str, environment: dict[str, str], folder: Path
) -> None:
    result = _create(environment | {"LOCAL_HOME": str(folder / "none")} | wrong, "local")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == f"adlens: {line}"
    assert "Traceback" not in result.output
    assert not (folder / "none").exists()


def test_a_failed_run_fails_the_command(
    local_run: Path, environment: dict[str, str], capfd: pytest.CaptureFixture
) -> None:
    result = _tfx(environment | {"ADLENS_PRESET": "big"}, *RUN, "local")
    assert result.exit_code == 1
    line = "adlens: ADLENS_PRESET must be one of tiny, demo, movielens, full, got big"
    assert capfd.readouterr().err.splitlines()[-1] == line
