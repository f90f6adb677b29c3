"""What the service's configuration and command line refuse, and how long it waits."""

import argparse

import pytest

from serving.encoder_service import cli
from serving.encoder_service.backoff import backoff_seconds
from serving.encoder_service.config import EncoderServiceConfig
from transforms.ingest_config import IngestConfig
from transforms.input_error import InputError


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"workers": 0}, "workers must be at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"max_attempts": 0}, "max_attempts must be at least 1, got 0"),
        ({"lease_seconds": 0.0}, "lease_seconds must be positive and finite, got 0.0"),
        ({"encoder_timeout_seconds": float("inf")}, "encoder_timeout_seconds must be positive and finite"),
        ({"poll_seconds": float("nan")}, "poll_seconds must be positive and finite, got nan"),
        (
            {"min_backoff_seconds": 2.0, "max_backoff_seconds": 1.0},
            "max_backoff_seconds must be at least 2.0",
        ),
        ({"image_model": ""}, "image_model must be a model's name, got ''"),
    ],
)
def test_refuses(settings, message):
    with pytest.raises(InputError, match=f"encoder_service.{message}"):
        EncoderServiceConfig(**settings)


def test_pictures_have_the_bounds_of_the_logs():
    config, logs = EncoderServiceConfig(), IngestConfig()
    assert config.max_image_bytes == logs.max_image_bytes
    assert config.max_image_pixels == logs.max_image_pixels


@pytest.mark.parametrize(("attempt", "whole"), [(1, 0.5), (2, 1.0), (3, 2.0), (4, 3.0), (10_000, 3.0)])
def test_waits_are_between_a_half_and_the_whole(attempt, whole):
    waits = [backoff_seconds(attempt, 0.5, 3.0) for _ in range(200)]
    assert whole / 2 <= min(waits) < 0.6 * whole
    assert 0.9 * whole < max(waits) <= whole


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    return parser.parse_args(["--model-server", "127.0.0.1:1", *arguments])


def test_the_command_has_the_configuration_s_defaults(tmp_path):
    options = parse("--queue", "q", "--index", "i")
    assert (options.batch_size, options.workers, options.lease_seconds) == (32, 2, 15.0)
    assert (options.image_model, options.status_port) == ("image_encoder", None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--queue", "kafka://x", "--index", "i"), "got kafka://"),
        (("--queue", "{tmp}/q.db", "--index", "s3://x"), "expected an index at .* got s3://"),
        (("--queue", "{tmp}/q.db", "--index", "{tmp}/i", "--workers", "0"), "workers must be at least 1"),
    ],
)
def test_the_command_refuses_in_one_line(tmp_path, arguments, message):
    filled = [argument.format(tmp=tmp_path) for argument in arguments]
    with pytest.raises(InputError, match=message) as error:
        cli.run(parse(*filled))
    assert "\n" not in str(error.value)
