"""What the environment says a runner file runs."""

import sys
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner

from pipeline import tfx_restart
from pipeline.cli import PRESET_NAMES
from pipeline.runner_settings import run_arguments
from transforms.input_error import InputError

NEEDED = {"ADLENS_LOGS": "logs", "ADLENS_ROOT": "root"}
LEAST = ["run", "--runner=beam", "--logs=logs", "--root=root"]


@pytest.mark.parametrize(
    ("more", "flags"),
    [
        ({}, []),
        ({"ADLENS_PRESET": "", "ADLENS_SET": "", "ADLENS_DATE": ""}, []),
        ({"ADLENS_PRESET": "tiny"}, ["--preset=tiny"]),
        ({"ADLENS_CONFIG": "a b.yaml"}, ["--config=a b.yaml"]),
        (
            {"ADLENS_SET": "ctr.batch_size=256 'ctr.mlp_units=[64, 32]'"},
            ["--set=ctr.batch_size=256", "--set=ctr.mlp_units=[64, 32]"],
        ),
        ({"ADLENS_BEAM_ARGS": "--direct_num_workers=2"}, ["--beam-arg=--direct_num_workers=2"]),
        ({"ADLENS_DATE": "2024-01-31"}, ["--date=2024-01-31"]),
    ],
)
def test_arguments(more: dict[str, str], flags: list[str]) -> None:
    assert run_arguments("beam", NEEDED | more) == LEAST + flags


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            {"ADLENS_LOGS": ""},
            "ADLENS_LOGS is not set; expected the folder of the four logs",
        ),
        (
            {"ADLENS_PRESET": "tiny", "ADLENS_CONFIG": "a"},
            "expected ADLENS_PRESET or ADLENS_CONFIG, got both",
        ),
        ({"ADLENS_PRESET": "big"}, f"ADLENS_PRESET must be one of {', '.join(PRESET_NAMES)}, got big"),
        ({"ADLENS_SET": "a='b"}, "ADLENS_SET must be quoted as for a shell: no closing quotation"),
        ({"ADLENS_DATE": "2024-02-30"}, "ADLENS_DATE must be one day like 2024-01-31, got 2024-02-30"),
        (
            {"ADLENS_DATE": "2024-01-01..2024-01-03"},
            "ADLENS_DATE must be one day like 2024-01-31, got 2024-01-01..2024-01-03",
        ),
    ],
)
def test_mistakes(more: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        run_arguments("local", NEEDED | more)
    assert str(caught.value) == message


KERAS_2 = SimpleNamespace(keras=SimpleNamespace())
KERAS_3 = SimpleNamespace(keras=SimpleNamespace(version=lambda: "3.15.1"))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The command lines of the processes that took this one's place."""
    lines: list[list[str]] = []
    monkeypatch.setattr(tfx_restart.os, "execv", lambda path, line: lines.append(line))
    return lines


def test_tfx_starts_again_with_the_words_it_was_given(
    monkeypatch: pytest.MonkeyPatch, started: list[list[str]]
) -> None:
    @click.group()
    def tfx() -> None: ...

    @tfx.group()
    def pipeline() -> None: ...

    @pipeline.command()
    @click.option("--engine")
    @click.option("--pipeline_path", "--pipeline-path")
    @click.option("--iap_client_id")
    @click.option("--build_image", is_flag=True)
    def create(**options: object) -> None:
        tfx_restart.restart_set_up()

    monkeypatch.setitem(sys.modules, "tensorflow", KERAS_3)
    words = ["pipeline", "create", "--engine", "local", "--pipeline-path", "a b.py"]
    assert CliRunner().invoke(tfx, words, prog_name="python -m tfx").exit_code == 0
    (line,) = started
    assert line[0] == sys.executable
    assert line[3:] == ["pipeline", "create", "--engine=local", "--pipeline_path=a b.py"]


def test_a_process_that_is_set_up_goes_on(monkeypatch: pytest.MonkeyPatch, started: list[list[str]]) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", KERAS_2)
    tfx_restart.restart_set_up()
    monkeypatch.delitem(sys.modules, "tensorflow")
    tfx_restart.restart_set_up()
    assert started == []


def test_nothing_but_tfx_is_started_again(monkeypatch: pytest.MonkeyPatch, started: list[list[str]]) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", KERAS_3)
    with pytest.raises(RuntimeError, match="expected a new process"):
        tfx_restart.restart_set_up()
    assert started == []
