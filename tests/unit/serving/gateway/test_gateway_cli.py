"""The flags of the gateway, before anything is opened."""

import argparse
from pathlib import Path

import pytest

from pipeline.cli import main
from serving.gateway import cli
from serving.gateway.config import GatewayConfig
from serving.gateway.http.http_options import HttpOptions
from transforms.input_error import InputError

NEEDED = ["--model-server=127.0.0.1:1", "--index=index", "--items=items", "--queue=queue.db"]


def parse(*flags: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    return parser.parse_args(["--release=serving/release.json", *NEEDED, *flags])


def test_by_default_all_is_as_configured() -> None:
    config, http, tokens = cli._read_settings(parse())
    assert (config, http, tokens) == (GatewayConfig(), HttpOptions(), None)


def test_flags_are_settings(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("a-token-of-some-length")
    config, http, tokens = cli._read_settings(
        parse(
            "--num-ranked=7",
            "--ctr-model=other",
            "--rate-limit=2.5",
            "--max-body-bytes=1000",
            "--no-inspector",
            f"--token-file={tmp_path / 'tokens'}",
            "--models=serving/",
        )
    )
    assert (config.num_ranked, config.ctr_model) == (7, "other")
    assert (http.rate_limit, http.max_body_bytes, http.serves_inspector) == (2.5, 1000, False)
    assert tokens is not None and tokens.client_of(b"Bearer a-token-of-some-length")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--workers=0"], "gateway.workers must be at least 1, got 0"),
        (["--port=65536"], "gateway.port must be between 0 and 65535, got 65536"),
        (["--port=0", "--workers=2"], "gateway.port must be given where there are several workers"),
        (["--models=elsewhere"], "gateway.models must be the folder of release.json, serving, got elsewhere"),
        (["--num-ranked=501"], "gateway.num_ranked must be at most num_retrieved, got 501"),
        (["--max-waiting=0"], "gateway.max_waiting must be at least 1, got 0"),
        (["--token-file=absent"], "absent: expected a file of tokens"),
    ],
)
def test_flags_that_cannot_be(flags: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match=message):
        cli.run(parse(*flags))
    assert main(["gateway", "--release=serving/release.json", *NEEDED, *flags]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"adlens: {message}") and said.count("\n") == 1
