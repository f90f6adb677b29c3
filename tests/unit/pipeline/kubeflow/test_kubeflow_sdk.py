"""Commands for Kubeflow without its SDK."""

import importlib.util

import pytest

from pipeline.cli import main


@pytest.mark.parametrize(
    "command",
    [
        ["submit", "--endpoint", "http://a.example", "--follow", "r1"],
        ["compile", "--image", "a", "--root", "/r", "--out", "p.yaml"],
    ],
)
def test_the_extra_that_brings_it_is_named(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main(command) == 1
    expected = "adlens: this needs the SDK of Kubeflow Pipelines: pip install adlens[kubeflow]\n"
    assert capsys.readouterr().err == expected
