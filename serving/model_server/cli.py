"""The flags of `adlens model-server`: TF Serving's, so that a start line moves between the two unchanged."""

import argparse
import logging
import os
import signal
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from serving.garbage import keep_for_good
from transforms.input_error import InputError

if TYPE_CHECKING:
    from serving.model_server.model_server import ModelServer
    from serving.model_server.server_options import ServerOptions

logger = logging.getLogger(__name__)

DEFAULT_METRICS_PATH = "/monitoring/prometheus/metrics"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags."""
    parser.add_argument("--host", default="0.0.0.0", help="the address to listen on (not TF Serving's)")
    parser.add_argument("--port", type=int, default=8500, help="TCP port of gRPC")
    parser.add_argument("--grpc_max_threads", type=int, help="default: 16 for each core")
    parser.add_argument("--rest_api_port", type=int, default=0, help="TCP port of REST; 0: no REST")
    parser.add_argument("--rest_api_num_threads", type=int, default=4 * (os.cpu_count() or 1))
    parser.add_argument("--rest_api_timeout_in_ms", type=int, default=30_000)
    _add_switch(parser, "--rest_api_enable_cors_support", False)
    parser.add_argument("--model_name", default="default", help="ignored with --model_config_file")
    parser.add_argument(
        "--model_base_path", default="", help="absolute path of the folder of the model's versions"
    )
    parser.add_argument("--model_config_file", type=Path, help="a ModelServerConfig in text format")
    parser.add_argument(
        "--model_config_file_poll_wait_seconds", type=int, default=0, help="0: the file is read once"
    )
    parser.add_argument("--monitoring_config_file", type=Path, help="a MonitoringConfig in text format")
    _add_switch(parser, "--enable_batching", False)
    parser.add_argument("--batching_parameters_file", type=Path, help="a BatchingParameters in text format")
    _add_switch(parser, "--enable_per_model_batching_parameters", False)
    parser.add_argument("--file_system_poll_wait_seconds", type=int, default=1)
    parser.add_argument("--max_num_load_retries", type=int, default=5)
    parser.add_argument("--load_retry_interval_micros", type=int, default=60_000_000)
    _add_switch(parser, "--allow_version_labels_for_unavailable_models", False)
    _add_switch(parser, "--enable_model_warmup", True)
    parser.add_argument("--saved_model_tags", default="serve", help="tags of the graph, with commas")
    parser.add_argument("--tensorflow_session_parallelism", type=int, default=0)
    for flag in ("--num_load_threads", "--num_unload_threads"):
        parser.add_argument(
            flag, type=int, default=0, help="taken and not used: one thread loads and unloads"
        )
    _add_switch(parser, "--flush_filesystem_caches", True, "taken and not used")


def run(options: argparse.Namespace) -> int:
    """Serves until the process is told to end.

    Raises:
        InputError: if a flag, a file or a model is wrong.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    server_options = read_options(options)
    from serving.model_server.model_server import ModelServer
    from serving.model_server.serving_error import ServingError

    server = ModelServer(server_options)

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, end)
    try:
        server.start()
        keep_for_good()
        poll_seconds = options.model_config_file_poll_wait_seconds if options.model_config_file else 0
        while not server.wait(poll_seconds if poll_seconds > 0 else None):
            _reload(server, options.model_config_file)
    except ServingError as error:
        raise InputError(f"cannot start: {error.code.name}: {error.message}") from error
    finally:
        server.stop()
    return 0


def _reload(server: "ModelServer", file: Path) -> None:
    """Serves what the file says now; while it is wrong, what it said before."""
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    from serving.model_server.serving_error import ServingError
    from serving.model_server.text_config import read_text_config

    try:
        server.manager.reload(read_text_config(file, ModelServerConfig()))
    except (InputError, ServingError) as error:
        logger.error("the configuration stays as it was: %s", error)


def read_options(options: argparse.Namespace) -> "ServerOptions":
    """The flags, and the files that they name."""
    from serving.model_server.batching_parameters import BatchingParameters
    from serving.model_server.server_options import ServerOptions, default_grpc_threads

    batching = None
    if options.enable_batching:
        file = options.batching_parameters_file
        batching = BatchingParameters() if file is None else BatchingParameters.read(file)
    elif options.batching_parameters_file is not None:
        raise InputError("--batching_parameters_file: expected --enable_batching with it")
    if options.rest_api_port and options.rest_api_port == options.port:
        raise InputError(f"--rest_api_port: expected another port than --port, got {options.port} for both")
    return ServerOptions(
        models=_models(options),
        host=options.host,
        grpc_port=options.port,
        grpc_threads=options.grpc_max_threads or default_grpc_threads(),
        rest_port=options.rest_api_port or None,
        rest_threads=options.rest_api_num_threads,
        rest_timeout_seconds=options.rest_api_timeout_in_ms / 1e3,
        allows_cors=options.rest_api_enable_cors_support,
        metrics_path=_metrics_path(options.monitoring_config_file),
        batching=batching,
        per_model_batching=options.enable_per_model_batching_parameters,
        poll_seconds=options.file_system_poll_wait_seconds,
        max_load_retries=options.max_num_load_retries,
        retry_seconds=options.load_retry_interval_micros / 1e6,
        allow_labels_for_unavailable=options.allow_version_labels_for_unavailable_models,
        enable_warm_up=options.enable_model_warmup,
        tags=frozenset(options.saved_model_tags.split(",")),
        session_threads=options.tensorflow_session_parallelism,
    )


def _models(options: argparse.Namespace) -> Any:
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    from serving.model_server.model_config import single_model
    from serving.model_server.text_config import read_text_config

    if options.model_config_file is not None:
        return read_text_config(options.model_config_file, ModelServerConfig())
    if not options.model_base_path:
        raise InputError("expected --model_base_path or --model_config_file")
    return single_model(options.model_name, options.model_base_path)


def _metrics_path(file: Path | None) -> str:
    from serving.model_server.text_config import new_message, read_text_config

    if file is None:
        return ""
    config: Any = read_text_config(file, new_message("MonitoringConfig"))
    return (config.prometheus_config.path or DEFAULT_METRICS_PATH) if config.prometheus_config.enable else ""


def _add_switch(parser: argparse.ArgumentParser, flag: str, default: bool, text: str = "") -> None:
    """A flag of TensorFlow's: alone, or with =true or =false."""
    parser.add_argument(
        flag, type=_switch, nargs="?", const=True, default=default, metavar="true|false", help=text
    )


def _switch(text: str) -> bool:
    values = {"true": True, "1": True, "false": False, "0": False}
    if text.lower() not in values:
        raise argparse.ArgumentTypeError(f"expected true or false, got {text!r}")
    return values[text.lower()]
