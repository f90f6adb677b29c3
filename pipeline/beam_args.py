"""Beam's flags for work on this machine, and a user's own after them."""

import contextlib
import io
import socket
from collections.abc import Sequence

from transforms.input_error import InputError

# Beam would hand local jobs to a runner that downloads a binary at its first use.
LOCAL_BEAM_ARGS = ("--runner=DirectRunner", "--direct_running_mode=in_memory")

# TFX builds a source package of itself for each Beam stage, and leaves its folder behind, unless an image for workers is
# named. Work in this process has no workers that would need either.
_IN_THIS_PROCESS = (*LOCAL_BEAM_ARGS, "--sdk_container_image=none")

_CONNECT_SECONDS = 10.0


def join_beam_args(beam_args: Sequence[str]) -> tuple[str, ...]:
    """Puts a user's flags after those for work on this machine; of a flag that comes twice the last one counts.

    Flags that Beam's Python does not know are passed on, since an engine's job service may know them.

    Args:
        beam_args: the user's flags, such as "--runner=PortableRunner".
    Raises:
        InputError: Beam does not take the flags or does not know the runner, or its job service does not answer.
    """
    if not beam_args:
        return _IN_THIS_PROCESS
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.runners.runner import create_runner

    flags = (*LOCAL_BEAM_ARGS, *beam_args)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            options = PipelineOptions(list(flags)).get_all_options()
            create_runner(options["runner"])
    except SystemExit as error:
        raise InputError(f"--beam-arg: {said.getvalue().strip().splitlines()[-1]}") from error
    except (ValueError, ImportError) as error:
        raise InputError(f"--beam-arg: {error}") from error
    # The in-process services of "embed" have no address.
    if options["job_endpoint"] not in (None, "embed"):
        _check_endpoint(options["job_endpoint"])
    return flags


def _check_endpoint(endpoint: str) -> None:
    """Beam itself would wait for minutes, and then tell nothing of the address."""
    host, _, port = endpoint.rpartition(":")
    if not host or not port.isdigit():
        raise InputError(f"--beam-arg: expected --job_endpoint=HOST:PORT, got {endpoint!r}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"--beam-arg: no job service answers at {endpoint}: {error}") from error
