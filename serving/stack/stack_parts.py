"""The command lines of production, on one machine."""

import sysconfig
from pathlib import Path

from serving.stack.config import StackConfig
from serving.stack.online_folder import OnlineFolder
from serving.stack.part import Part

_ADLENS = str(Path(sysconfig.get_path("scripts")) / "adlens")
_HERE = "127.0.0.1"
_ANYWHERE = {"0.0.0.0": _HERE, "::": "[::1]"}


def stack_parts(config: StackConfig, online: OnlineFolder) -> list[Part]:
    """The four parts, in the order in which they are to be stopped."""
    stores = ("--index", config.redis or str(online.index), "--queue", config.redis or str(online.queue))
    items = ("--items", config.redis or str(online.items))
    model_server = ("--model-server", f"{_HERE}:{config.grpc_port}")
    release = ("--release", str(release_file(config.root)))
    return [
        _gateway(config, (*release, *stores, *items, *model_server)),
        Part(
            "encoder-service",
            (_ADLENS, "encoder-service", *stores, *model_server, "--status-port", str(config.status_port)),
            f"http://{_HERE}:{config.status_port}/health",
        ),
        Part(
            "publisher",
            (_ADLENS, "publish", *release, *stores, *items, "--watch", "--ready-file", str(online.published)),
            ready_file=online.published,
        ),
        _model_server(config, online),
    ]


def release_file(root: Path) -> Path:
    """What the pipeline says is to be served."""
    return root / "serving" / "release.json"


def gateway_url(config: StackConfig) -> str:
    """Where the gateway answers on this machine."""
    host = _ANYWHERE.get(config.host, f"[{config.host}]" if ":" in config.host else config.host)
    return f"http://{host}:{config.port}"


def _gateway(config: StackConfig, places: tuple[str, ...]) -> Part:
    listen = ("--host", config.host, "--port", str(config.port), "--workers", str(config.workers))
    tokens = () if config.token_file is None else ("--token-file", str(config.token_file))
    # The last of a flag counts: where the parts find each other is not up to the user's flags.
    command = (_ADLENS, "gateway", *config.gateway_flags, *listen, *places, *tokens)
    return Part("gateway", command, f"{gateway_url(config)}/ready")


def _model_server(config: StackConfig, online: OnlineFolder) -> Part:
    command = (
        _ADLENS,
        "model-server",
        f"--host={_HERE}",
        f"--port={config.grpc_port}",
        f"--rest_api_port={config.rest_port}",
        f"--model_config_file={online.models_config}",
        "--model_config_file_poll_wait_seconds=5",
        f"--monitoring_config_file={online.monitoring_config}",
        "--enable_batching",
        "--enable_per_model_batching_parameters",
    )
    # It listens once all models are loaded.
    url = f"http://{_HERE}:{config.rest_port}/monitoring/prometheus/metrics"
    return Part("model-server", command, url)
