"""Command lines that the programs take, with files that they can read."""

import contextlib
import io
import re
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline import cli
from scripts.check_deploy.process import Process
from serving.model_server.cli import read_options
from transforms.input_error import InputError

_PATH = re.compile(r"(?:(?<=^)|(?<=[=@]))/[^\s=]+$")
_TF_SERVING = "tensorflow_model_server"
_REDIS_SETTINGS = {
    "appendonly": "yes",
    "appendfsync": "always",
    "maxmemory-policy": "noeviction",
}


def lines_are_taken(processes: Iterable[Process]) -> Iterator[str]:
    """The programs' own parsers take every line, and every file that it names is mounted."""
    for process in processes:
        for path in _paths(process):
            if path not in process.files and not any(
                path == folder or path.startswith(f"{folder}/") for folder in process.folders
            ):
                yield f"{process.name}: nothing is mounted at {path}"
        if process.line[:1] == ("adlens",):
            yield from _refusals(process, process.line[1:])
        elif process.line[:1] == (_TF_SERVING,):
            # Stock TF Serving has no flag for the address that it listens on.
            if any(text.startswith("--host") for text in process.line):
                yield f"{process.name}: TF Serving has no flag --host"
            yield from _refusals(process, ("model-server", *process.line[1:]))
        elif process.line[:1] == ("redis-server",):
            yield from _redis_problems(process)
        else:
            yield f"{process.name}: expected adlens, {_TF_SERVING} or redis-server, got {process.line[:1]}"


def _refusals(process: Process, arguments: tuple[str, ...]) -> Iterator[str]:
    said = io.StringIO()
    with tempfile.TemporaryDirectory() as made, contextlib.redirect_stderr(said):
        try:
            options = _parse(cli._parser(), [_localize(process, Path(made), text) for text in arguments])
            if arguments[0] == "model-server":
                read_options(options)
        except InputError as error:
            yield f"{process.name}: {error}"
        except SystemExit:
            yield f"{process.name}: {said.getvalue().strip().splitlines()[-1]}"


def _parse(parser: ArgumentParser, arguments: list[str]) -> Namespace:
    # A flag is to be written out, also where the parser would take its beginning.
    options = parser.parse_args(arguments)
    known = {name.replace("_", "-") for name in vars(options)}
    for text in arguments:
        flag = text.removeprefix("--").partition("=")[0]
        if text.startswith("--") and flag.replace("_", "-") not in known:
            raise InputError(f"--{flag} is no flag, only the beginning of one")
    return options


def _localize(process: Process, folder: Path, text: str) -> str:
    """The argument with a file here in the place of the container's."""
    found = _PATH.search(text)
    if found is None or found[0] not in process.files:
        return text
    local = folder / found[0].lstrip("/")
    local.parent.mkdir(parents=True, exist_ok=True)
    local.write_text(process.files[found[0]], encoding="utf-8")
    return text[: found.start()] + str(local)


def _paths(process: Process) -> Iterator[str]:
    for text in process.line:
        found = _PATH.search(text)
        if found is not None:
            yield found[0]


def _redis_problems(process: Process) -> Iterator[str]:
    text = process.files.get(process.line[1], "")
    settings = {
        key: value.strip()
        for key, _, value in (line.partition(" ") for line in text.splitlines())
        if not key.startswith("#")
    }
    for name, value in _REDIS_SETTINGS.items():
        if settings.get(name) != value or f"--{name}" in process.line:
            yield f"{process.name}: expected {name} {value}"
    if settings.get("aclfile") not in process.files:
        yield f"{process.name}: expected a mounted aclfile, got {settings.get('aclfile')}"
    if settings.get("dir") not in process.folders:
        yield f"{process.name}: expected a volume at its dir, got {settings.get('dir')}"


def lines_agree(compose: Iterable[Process], kubernetes: Iterable[Process]) -> Iterator[str]:
    """Both run the same parts by the same lines, but for the memory that Redis takes."""
    here, there = ({each.name: _without_memory(each.line) for each in them} for them in (compose, kubernetes))
    for name in sorted(here.keys() | there.keys()):
        if here.get(name) != there.get(name):
            yield f"{name}: Compose runs {here.get(name)}, Kubernetes {there.get(name)}"


def _without_memory(line: tuple[str, ...]) -> tuple[str, ...]:
    if "--maxmemory" not in line:
        return line
    at = line.index("--maxmemory")
    return line[: at + 1] + line[at + 2 :]
