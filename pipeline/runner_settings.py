"""What a runner file of the `tfx` command runs. It is given no flags, so the environment says it."""

import datetime
import os
import shlex
import sys
from collections.abc import Mapping

from pipeline.cli import PRESET_NAMES, main
from pipeline.not_run import NotRun
from pipeline.tfx_restart import restart_set_up
from transforms.input_error import InputError


def run_from_environment(runner: str) -> int:
    """Does what `adlens run` does, as the environment says, and shows that command.

    Args:
        runner: "local" or "beam".
    Returns:
        The exit status, as that of `adlens run`; 0 where `tfx` only wanted to know the pipeline.
    """
    restart_set_up()
    try:
        arguments = run_arguments(runner, os.environ)
    except InputError as error:
        print(f"adlens: {error}", file=sys.stderr)
        return 1
    print(shlex.join(["adlens", *arguments]), file=sys.stderr, flush=True)
    try:
        return main(arguments)
    except NotRun:
        return 0


def run_arguments(runner: str, environment: Mapping[str, str]) -> list[str]:
    """The arguments of the `adlens` command that a runner file stands for.

    Being the same command, it finds what the other has finished, and the other way round.

    Args:
        runner: "local" or "beam".
        environment: ADLENS_LOGS and ADLENS_ROOT; where wanted, ADLENS_PRESET or ADLENS_CONFIG, ADLENS_DATE
            (one day), and ADLENS_SET and ADLENS_BEAM_ARGS, values parted by blanks and quoted as for a shell.
            An empty variable is as good as none.
    Returns:
        "run" and its flags.
    Raises:
        InputError: a variable is missing, or two of them or a value make no sense.
    """
    if environment.get("ADLENS_PRESET") and environment.get("ADLENS_CONFIG"):
        raise InputError("expected ADLENS_PRESET or ADLENS_CONFIG, got both")
    return [
        "run",
        f"--runner={runner}",
        f"--logs={_needed('ADLENS_LOGS', 'the folder of the four logs', environment)}",
        f"--root={_needed('ADLENS_ROOT', 'the folder for artifacts, models and the report', environment)}",
        *_preset(environment.get("ADLENS_PRESET", "")),
        *([f"--config={environment['ADLENS_CONFIG']}"] if environment.get("ADLENS_CONFIG") else []),
        *(f"--set={value}" for value in _words("ADLENS_SET", environment)),
        *(f"--beam-arg={value}" for value in _words("ADLENS_BEAM_ARGS", environment)),
        *_date(environment.get("ADLENS_DATE", "")),
    ]


def _needed(name: str, meaning: str, environment: Mapping[str, str]) -> str:
    if not environment.get(name):
        raise InputError(f"{name} is not set; expected {meaning}")
    return environment[name]


def _preset(name: str) -> list[str]:
    if not name:
        return []
    if name not in PRESET_NAMES:
        raise InputError(f"ADLENS_PRESET must be one of {', '.join(PRESET_NAMES)}, got {name}")
    return [f"--preset={name}"]


def _words(name: str, environment: Mapping[str, str]) -> list[str]:
    try:
        return shlex.split(environment.get(name, ""))
    except ValueError as error:
        raise InputError(f"{name} must be quoted as for a shell: {str(error).lower()}") from error


def _date(text: str) -> list[str]:
    if not text:
        return []
    try:
        day = datetime.datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError as error:
        # One day alone: `tfx` takes one pipeline from a runner file.
        raise InputError(f"ADLENS_DATE must be one day like 2024-01-31, got {text}") from error
    return [f"--date={day.isoformat()}"]
