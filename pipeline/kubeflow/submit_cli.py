"""The command `adlens submit`."""

import argparse
import datetime
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.kubeflow.sdk import need_sdk
from transforms.input_error import InputError

if TYPE_CHECKING:
    from pipeline.kubeflow.submit_server import SubmitServer


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Adds the flags of `adlens submit`."""
    command.add_argument("--endpoint", required=True, metavar="URL", help="where Kubeflow Pipelines is")
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument("--pipeline", type=Path, metavar="FILE", help="the YAML of `adlens compile`")
    what.add_argument("--follow", metavar="RUN_ID", help="start nothing, follow this run to its end")
    command.add_argument("--name", help="the pipeline's name there; that in the YAML if not said")
    command.add_argument("--experiment", default="adlens", metavar="NAME", help="what the run belongs to")
    command.add_argument("--run-name", metavar="NAME", help="the pipeline's name and the time if not said")
    command.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the run, e.g. logs=/data/logs (repeatable)",
    )
    command.add_argument("--namespace", default="", help="whose run it is, on a server of several users")
    command.add_argument(
        "--token-file", type=Path, help="a file with the bearer token; else ADLENS_KFP_TOKEN holds it"
    )
    command.add_argument("--ca-cert", type=Path, help="the certificates that sign the server's, PEM")
    command.add_argument("--no-wait", action="store_true", help="start the run and leave it to itself")
    command.add_argument("--timeout", type=float, metavar="SECONDS", help="follow it no longer than this")
    command.add_argument(
        "--every", type=float, default=5.0, metavar="SECONDS", help="between two looks at it"
    )


def run(options: argparse.Namespace) -> int:
    """Uploads the pipeline, starts a run and follows it. Returns the exit status.

    Raises:
        InputError: the pipeline, a parameter or the server, or the run did not succeed.
    """
    need_sdk()
    _check(options)
    from pipeline.kubeflow.submit_package import PipelinePackage

    if options.follow:
        return _follow(options, _server(options), options.follow)
    package = PipelinePackage.read(options.pipeline)
    values = package.values(options.param)
    server = _server(options)
    name = options.name or package.name
    run_name = options.run_name or f"{name} {datetime.datetime.now():%Y-%m-%d %H:%M:%S}"
    try:
        pipeline_id, version_id = server.upload(package, name)
        run_id = server.start(pipeline_id, version_id, options.experiment, run_name, values)
    except KeyboardInterrupt:
        print(
            f"adlens: interrupted; {server.endpoint} may have the pipeline and a run {run_name!r}",
            file=sys.stderr,
        )
        return 130
    print(f"adlens: run {run_id} of {name}: {server.page(run_id)}", file=sys.stderr, flush=True)
    if options.no_wait:
        print(run_id)
        return 0
    return _follow(options, server, run_id)


def _check(options: argparse.Namespace) -> None:
    for flag, value in (("--timeout", options.timeout), ("--every", options.every)):
        if value is not None and not 0 < value < float("inf"):
            raise InputError(f"{flag} must be a number of seconds above 0, got {value:g}")
    if options.follow and (options.param or options.no_wait):
        raise InputError("--follow starts nothing: expected neither --param nor --no-wait")


def _server(options: argparse.Namespace) -> "SubmitServer":
    from pipeline.kubeflow.submit_server import SubmitServer
    from pipeline.kubeflow.submit_token import SubmitToken

    return SubmitServer(options.endpoint, SubmitToken(options.token_file), options.ca_cert, options.namespace)


def _follow(options: argparse.Namespace, server: "SubmitServer", run_id: str) -> int:
    from pipeline.kubeflow.submit_follow import follow

    again = f"`adlens submit --endpoint {server.endpoint} --follow {run_id}` follows it again"
    try:
        fault = follow(server, run_id, sys.stderr, options.every, options.timeout)
    except InputError as error:
        raise InputError(f"{error}; {again}") from error
    except KeyboardInterrupt:
        print(f"adlens: interrupted; run {run_id} goes on; {again}", file=sys.stderr)
        return 130
    if fault:
        raise InputError(f"run {run_id} {fault}; {server.page(run_id)} shows it")
    print(f"run {run_id} succeeded: {server.page(run_id)}")
    return 0
