"""Replays the stages of a Dockerfile, each in a root folder of its own."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from scripts.replay_image.dockerfile import (
    Dockerfile,
    Instruction,
    Stage,
    read_argument,
    read_command,
    read_copy,
    read_environment,
    substitute,
)
from scripts.replay_image.jail import ROOT_USER, Jail
from transforms.input_error import InputError

_FIRST_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
_CERTIFICATES = "/run/replay/certificates.crt"


@dataclass
class Image:
    """What a stage came to.

    Attributes:
        root: its files.
        environment: of its processes.
        user: UID:GID.
        folder: the working folder.
        entry_point: the words before a command's.
        command: the default one.
    """

    root: Path
    environment: dict[str, str] = field(default_factory=lambda: dict(_FIRST_ENVIRONMENT))
    user: str = ROOT_USER
    folder: str = "/"
    entry_point: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)


class Builder:
    """Replays stages.

    Args:
        dockerfile: what to replay.
        context: the project's folder.
        is_ignored: of a path in it, whether a build would not see it.
        base: the root of a plain Debian.
        base_image: the name of the image that `base` stands for.
        folder: where the stages' roots go.
        build_arguments: what `docker build --build-arg` would be given.
    """

    def __init__(
        self,
        dockerfile: Dockerfile,
        context: Path,
        is_ignored: Callable[[str], bool],
        base: Path,
        base_image: str,
        folder: Path,
        build_arguments: Mapping[str, str],
    ):
        self.dockerfile = dockerfile
        self.context = context
        self.is_ignored = is_ignored
        self.base = base
        self.base_image = base_image
        self.folder = folder
        self.build_arguments = build_arguments
        self.images: dict[str, Image] = {}

    def build(self, target: str) -> Image:
        """Replays the target and the stages that it is made from."""
        for stage in self.dockerfile.needed(target):
            self.images[stage.name] = self._build(stage)
        return self.images[target]

    def _build(self, stage: Stage) -> Image:
        image = self._begin(stage)
        arguments: dict[str, str] = {}
        for instruction in stage.instructions:
            started = time.monotonic()
            self._step(image, instruction, arguments)
            seconds = time.monotonic() - started
            line = " ".join(instruction.text.split())
            print(
                f"{seconds:6.1f} s  {stage.name}: {instruction.name} {line[:90]}", file=sys.stderr, flush=True
            )
        return image

    def _begin(self, stage: Stage) -> Image:
        root = self.folder / stage.name
        known = self.images.get(stage.base)
        if known is None and stage.base != self.base_image:
            raise InputError(
                f"stage {stage.name}: expected to begin with {self.base_image}, got {stage.base}"
            )
        copy_tree(known.root if known else self.base, root)
        if known is None:
            return Image(root)
        return Image(
            root,
            dict(known.environment),
            known.user,
            known.folder,
            list(known.entry_point),
            list(known.command),
        )

    def _step(self, image: Image, instruction: Instruction, arguments: dict[str, str]) -> None:
        known = arguments | image.environment
        match instruction.name:
            case "ARG":
                name, default = read_argument(instruction)
                value = self.build_arguments.get(name, default or self.dockerfile.arguments.get(name, ""))
                arguments[name] = value
            case "ENV":
                for name, value in read_environment(instruction).items():
                    image.environment[name] = substitute(instruction, value, known)
            case "WORKDIR":
                image.folder = _join(image.folder, substitute(instruction, instruction.text, known))
                _inside(image.root, image.folder).mkdir(parents=True, exist_ok=True)
            case "USER":
                image.user = instruction.text
            case "ENTRYPOINT":
                # As Docker does: a new entry point takes the old default command away.
                image.entry_point, image.command = read_command(instruction), []
            case "CMD":
                image.command = read_command(instruction)
            case "COPY":
                self._copy(image, instruction, known)
            case "RUN":
                self._run(image, instruction, known)

    def _run(self, image: Image, instruction: Instruction, environment: Mapping[str, str]) -> None:
        mounts = {"/etc/resolv.conf": Path("/etc/resolv.conf")}
        environment = {"HOME": "/root", **environment}
        # A machine whose network has certificates of its own says so in its environment.
        certificates = os.environ.get("SSL_CERT_FILE")
        if certificates:
            mounts[_CERTIFICATES] = Path(certificates)
            environment |= {"SSL_CERT_FILE": _CERTIFICATES, "PIP_CERT": _CERTIFICATES}
        jail = Jail(image.root, image.user, mounts=mounts)
        try:
            jail.run(["sh", "-c", instruction.text], environment, image.folder)
        except subprocess.CalledProcessError as error:
            sys.stderr.write(error.stdout)
            raise InputError(
                f"Dockerfile, line {instruction.line}: RUN ended with {error.returncode}"
            ) from error
        finally:
            shutil.rmtree(_inside(image.root, "/run/replay"), ignore_errors=True)

    def _copy(self, image: Image, instruction: Instruction, known: Mapping[str, str]) -> None:
        stage, sources, target = read_copy(instruction)
        place = _join(image.folder, substitute(instruction, target, known))
        for source in (substitute(instruction, source, known) for source in sources):
            found = _inside(self.images[stage].root, source) if stage else self._seen(instruction, source)
            into = _inside(image.root, place)
            # A folder's contents are copied, a file itself.
            if not found.is_dir() and (target.endswith("/") or into.is_dir()):
                into = into / found.name
            copy_tree(found, into)

    def _seen(self, instruction: Instruction, source: str) -> Path:
        """The files of a source that the build sees, copied aside; they are root's then, whoever's they are here."""
        aside = self.folder / "context" / source
        shutil.rmtree(self.folder / "context", ignore_errors=True)
        found = self.context / source
        files = [each for each in found.rglob("*") if each.is_file()] if found.is_dir() else [found]
        files = [each for each in files if not self.is_ignored(each.relative_to(self.context).as_posix())]
        if not files or not found.exists():
            raise InputError(f"Dockerfile, line {instruction.line}: the build sees no {source}")
        for file in files:
            place = aside / file.relative_to(found)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, place)
        return aside


def copy_tree(source: Path, target: Path) -> None:
    """Copies a file, or a folder's contents into another, with owners, modes, times and links as they are."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        target.mkdir(exist_ok=True)
    contents = f"{source}/." if source.is_dir() else str(source)
    subprocess.run(["cp", "--archive", "--reflink=auto", contents, str(target)], check=True)


def _join(folder: str, path: str) -> str:
    return os.path.normpath(PurePosixPath(folder) / path)


def _inside(root: Path, path: str) -> Path:
    """A path of a stage. Links in it, which would lead out of the root, are none of the Dockerfile's places."""
    return root / path.lstrip("/")
