"""The help of the commands."""

import pytest

from pipeline.cli import main


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("run", "Run the whole pipeline, resuming from what is done."),
        ("report", "Write the HTML report of a finished run again."),
        ("compile", "Write the pipeline for Kubeflow Pipelines v2."),
    ],
)
def test_a_command_says_what_it_does(command: str, line: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert line in capsys.readouterr().out.splitlines()
