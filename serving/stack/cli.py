"""The command line of the stack."""

import argparse
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TextIO

from serving.gateway import cli as gateway_cli
from serving.stack.config import StackConfig
from serving.stack.models_config import ModelsConfig
from serving.stack.online_folder import OnlineFolder
from serving.stack.part import Part
from serving.stack.stack_parts import gateway_url, release_file, stack_parts
from serving.stack.supervisor import Supervisor
from transforms.input_error import InputError

_HELP = {
    "host": "the address that the gateway listens on; the other parts are for this machine alone",
    "port": "of the gateway",
    "grpc_port": "of the model server's gRPC",
    "rest_port": "of the model server's REST",
    "status_port": "of the encoder service's status and metrics",
    "workers": "processes of the gateway",
}
_MONITORING = "prometheus_config { enable: true }\n"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what `run` reads."""
    parser.add_argument("--root", type=Path, required=True, help="the folder that the run was given")
    for field in fields(StackConfig):
        if field.name in _HELP:
            flag, kind = f"--{field.name.replace('_', '-')}", type(field.default)
            parser.add_argument(flag, type=kind, default=field.default, help=_HELP[field.name])
    parser.add_argument("--token-file", type=Path, help="the tokens that the gateway asks for, one a line")
    parser.add_argument(
        "--redis",
        metavar="URL",
        help="keep items, queue and embeddings in this Redis; by default in ROOT/online",
    )
    parser.add_argument(
        "--gateway-flag",
        dest="gateway_flags",
        action="append",
        default=[],
        metavar="FLAG=VALUE",
        help="one more flag of `adlens gateway`, such as --gateway-flag=--rate-limit=50 (repeatable)",
    )


def run(options: argparse.Namespace) -> int:
    """Serves what a run pushed until SIGTERM or SIGINT. Returns 0.

    Raises:
        InputError: nothing was pushed there, a port is in use, or another process serves it.
    """
    settings = {name: getattr(options, name) for name in _HELP}
    config = StackConfig(
        root=options.root.resolve(),
        token_file=options.token_file,
        redis=options.redis,
        gateway_flags=tuple(options.gateway_flags),
        **settings,
    )
    release = release_file(config.root)
    if not release.is_file():
        raise InputError(
            f"{options.root}: expected the root of a finished run, found no {release.relative_to(config.root)}:"
            f" `adlens run --logs LOGS --root {options.root}` makes it"
        )
    online = OnlineFolder(config.root / "online")
    parts = stack_parts(config, online)
    _check_gateway(parts[0].command)
    with online.lock():
        _check_ports(config)
        _serve(config, online, parts)
    return 0


def _serve(config: StackConfig, online: OnlineFolder, parts: Sequence[Part]) -> None:
    models = ModelsConfig(config.root / "serving", online.models_config)
    models.refresh()
    online.monitoring_config.write_text(_MONITORING, encoding="utf-8")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    names = ", ".join(part.name for part in reversed(parts))
    _say(f"starting {names}; logs: {online.logs}")
    Supervisor(parts, online.logs, _say, lambda: _show_addresses(config), models.refresh).run(stop)
    _say("stopped")


def _check_gateway(command: Sequence[str]) -> None:
    # It would otherwise end with the same words, again and again.
    parser = argparse.ArgumentParser(prog="adlens gateway")
    gateway_cli.add_arguments(parser)
    parser.parse_args(command[2:])


def _check_ports(config: StackConfig) -> None:
    for name, port in config.ports.items():
        host = config.host if name == "port" else "127.0.0.1"
        try:
            family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
        except OSError as error:
            flag = f"--{name.replace('_', '-')}"
            raise InputError(f"{flag}: cannot listen on {host}:{port}: {error.strerror}") from error


def _show_addresses(config: StackConfig) -> None:
    url = gateway_url(config)
    token = "" if config.token_file is None else ' -H "Authorization: Bearer TOKEN"'
    _print(
        f"""
  inspector page   {url}/
  gateway          {url}/v1/   (described in {url}/openapi.json)
  models, REST     http://127.0.0.1:{config.rest_port}/v1/models/ctr
  models, gRPC     127.0.0.1:{config.grpc_port}
  encoder service  http://127.0.0.1:{config.status_port}/status

  try:  curl{token} {url}/v1/similar -d '{{"text": "a red dress"}}' -H 'Content-Type: application/json'
        curl{token} {url}/v1/status

  Ctrl-C stops all of it.
""",
        sys.stdout,
    )


def _say(line: str) -> None:
    _print(f"adlens serve: {line}", sys.stderr)


def _print(text: str, stream: TextIO) -> None:
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError:
        # Nobody reads it any more. What the stream still holds must have a place to go to, or fails at the exit.
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), stream.fileno())
