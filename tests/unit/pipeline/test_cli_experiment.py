"""Mistakes on the command line end in one line, before anything heavy is loaded."""

from pathlib import Path

import pytest

from pipeline import cli


def test_no_seed(capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    assert cli.main(["experiment", "--logs", "x", "--root", str(tmp_path / "root"), "--seeds", "0"]) == 1
    assert capsys.readouterr().err == "adlens: --seeds must be at least 1, got 0\n"
    assert not (tmp_path / "root").exists()


def test_an_unknown_key(capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    arguments = ["experiment", "--logs", "x", "--root", str(tmp_path), "--set", "image_encoder.epoch=2"]
    assert cli.main(arguments) == 1
    expected = "adlens: unknown key image_encoder.epoch; did you mean epochs?\n"
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--only", "table9"], "invalid choice: 'table9'"),
        (["--only"], "expected at least one argument"),
        (["--seeds", "many"], "invalid int value: 'many'"),
    ],
)
def test_usage(capsys: pytest.CaptureFixture, more: list[str], words: str) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["experiment", "--logs", "x", "--root", "y", *more])
    assert caught.value.code == 2
    assert words in capsys.readouterr().err


def test_the_command_knows_all_parts() -> None:
    from pipeline.experiment.runner import PARTS

    assert tuple(PARTS) == cli.EXPERIMENTS
