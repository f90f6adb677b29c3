"""Flags, and the files in protobuf's text format that they name."""

import argparse
from pathlib import Path

import pytest

from serving.model_server.batching_parameters import BatchingParameters
from serving.model_server.cli import add_arguments, read_options
from serving.model_server.server_options import ServerOptions
from transforms.input_error import InputError


def options_of(*flags: str) -> ServerOptions:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return read_options(parser.parse_args(flags))


def test_defaults_are_those_of_tf_serving() -> None:
    options = options_of("--model_base_path=/models/m")
    (model,) = options.models.model_config_list.config
    assert (model.name, model.base_path, model.model_platform) == ("default", "/models/m", "tensorflow")
    assert (options.grpc_port, options.rest_port, options.rest_timeout_seconds) == (8500, None, 30)
    assert (options.poll_seconds, options.max_load_retries, options.retry_seconds) == (1, 5, 60)
    assert options.batching is None and options.enable_warm_up and not options.metrics_path
    assert options.host == "0.0.0.0"
    assert options_of("--model_base_path=/m", "--host=127.0.0.1").host == "127.0.0.1"
    assert options.tags == {"serve"}


def test_a_start_line_of_tf_serving(tmp_path: Path) -> None:
    models = tmp_path / "models.config"
    models.write_text(
        """
        model_config_list {
          config {
            name: 'a' base_path: '/models/a' model_platform: 'tensorflow'
            model_version_policy { specific { versions: 42 versions: 43 } }
            version_labels { key: 'stable' value: 42 }
          }
          config { name: 'b' base_path: '/models/b' model_platform: 'tensorflow' }
        }
        """
    )
    batching = tmp_path / "batching.config"
    batching.write_text(
        "max_batch_size { value: 128 } batch_timeout_micros { value: 2000 } max_enqueued_batches { value: 64 } "
        "num_batch_threads { value: 2 } thread_pool_name { value: 'p' } allowed_batch_sizes: [32, 128]"
    )
    monitoring = tmp_path / "monitoring.config"
    monitoring.write_text("prometheus_config { enable: true, path: '/metrics' }")
    options = options_of(
        "--port=8501",
        "--rest_api_port=8502",
        f"--model_config_file={models}",
        "--enable_batching",
        f"--batching_parameters_file={batching}",
        f"--monitoring_config_file={monitoring}",
        "--file_system_poll_wait_seconds=5",
        "--enable_model_warmup=false",
        "--rest_api_enable_cors_support=true",
    )
    first, second = options.models.model_config_list.config
    assert list(first.model_version_policy.specific.versions) == [42, 43]
    assert dict(first.version_labels) == {"stable": 42} and second.name == "b"
    assert options.batching == BatchingParameters(128, 2000, 64, 2, (32, 128))
    assert options.metrics_path == "/metrics" and options.poll_seconds == 5
    assert not options.enable_warm_up and options.allows_cors


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("prometheus_config { enable: true }", "/monitoring/prometheus/metrics"),
        ("prometheus_config { path: '/metrics' }", ""),
        ("", ""),
    ],
)
def test_metrics_are_off_unless_enabled(tmp_path: Path, text: str, path: str) -> None:
    file = tmp_path / "monitoring.config"
    file.write_text(text)
    assert options_of("--model_base_path=/m", f"--monitoring_config_file={file}").metrics_path == path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_batch_size { value: 0 }", "max_batch_size: expected an integer > 0, got 0"),
        ("num_batch_threads { value: -1 }", "num_batch_threads"),
        ("batch_timeout_micros { value: -1 }", "batch_timeout_micros"),
        ("max_batch_size { value: 8 } allowed_batch_sizes: [2, 4]", "end with max_batch_size 8"),
        ("max_batch_size { value: 4 } allowed_batch_sizes: [4, 2, 4]", "expected increasing integers"),
        ("pad_variable_length_inputs: true", "pad_variable_length_inputs is not supported"),
        ("max_batch_sise { value: 8 }", "max_batch_sise"),
        ("max_batch_size: 8", "expected a BatchingParameters in text format"),
    ],
)
def test_wrong_batching_parameters(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "batching.config"
    file.write_text(text)
    with pytest.raises(InputError, match=message):
        options_of("--model_base_path=/m", "--enable_batching", f"--batching_parameters_file={file}")


def test_wrong_flags(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "large").write_bytes(b" " * (2**20 + 1))
    cases = {
        "expected --model_base_path or --model_config_file": [],
        "expected another port": ["--model_base_path=/m", "--port=1", "--rest_api_port=1"],
        "expected --enable_batching with it": ["--model_base_path=/m", "--batching_parameters_file=x"],
        "cannot be read": [f"--model_config_file={tmp_path / 'absent'}"],
        "binary: cannot be read": [f"--model_config_file={tmp_path / 'binary'}"],
        "at most 1048576 bytes": [f"--model_config_file={tmp_path / 'large'}"],
    }
    for message, flags in cases.items():
        with pytest.raises(InputError, match=message):
            options_of(*flags)


def test_a_switch_is_true_or_false(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options_of("--model_base_path=/m", "--enable_batching=perhaps")
    assert "expected true or false" in capsys.readouterr().err
