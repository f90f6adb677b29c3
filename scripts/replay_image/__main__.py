"""Replays the Dockerfile on plain Debian and tries the image, without a container engine.

    sudo .venv/bin/python -m scripts.replay_image [--build-arg VARIANT=gpu]

Needs root, for roots of their own; Debian's packages debootstrap, util-linux and iproute2; a Debian mirror and the
package index; and 20 GB below `--work`. The image's own programs then run without a network, as its own user, on a
read-only root. Ends with one line of JSON; where something is not as it should be, exits with 1 and says what.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from scripts.replay_image.builder import Builder
from scripts.replay_image.dockerfile import read_dockerfile
from scripts.replay_image.dockerignore import read_dockerignore
from scripts.replay_image.trial import try_image
from transforms.input_error import InputError

_PROJECT = Path(__file__).resolve().parents[2]
_PROGRAMS = ("debootstrap", "unshare", "chroot", "setpriv", "mount", "ip")
_NEEDED_BYTES = 20e9


def main() -> int:
    """Returns the exit status."""
    options = _parser().parse_args()
    arguments = dict(pair.partition("=")[::2] for pair in options.build_arg)
    try:
        _check_host(options.work)
        figures = _replay(options.context, options.work, arguments, options.mirror)
    except InputError as error:
        print(f"replay_image: {error}", file=sys.stderr)
        return 1
    finally:
        if not options.keep and options.work.exists():
            shutil.rmtree(options.work)
    problems = figures["problems"]
    for problem in problems:
        print(f"replay_image: {problem}", file=sys.stderr)
    print(json.dumps(figures))
    return int(bool(problems))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="replay_image", description="Replay the Dockerfile and try the image."
    )
    parser.add_argument(
        "--build-arg", action="append", default=[], metavar="NAME=VALUE", help="as docker build's"
    )
    parser.add_argument("--context", type=Path, default=_PROJECT, help="the project's folder")
    parser.add_argument(
        "--work", type=Path, default=Path("/tmp/image_replay"), help="a folder that is not yet there"
    )
    parser.add_argument("--mirror", default="", help="a Debian mirror, if not debootstrap's own")
    parser.add_argument("--keep", action="store_true", help="leave the work folder")
    return parser


def _check_host(work: Path) -> None:
    if os.geteuid() != 0:
        raise InputError("expected to be run as root, which roots of their own need")
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    if missing:
        raise InputError(f"expected the programs {', '.join(_PROGRAMS)}, found no {', '.join(missing)}")
    if work.exists():
        raise InputError(f"expected a work folder that is not yet there, got {work}")
    work.mkdir(parents=True)
    free = shutil.disk_usage(work).free
    if free < _NEEDED_BYTES:
        raise InputError(
            f"expected {_NEEDED_BYTES / 1e9:.0f} GB of free disk below {work}, found {free / 1e9:.0f}"
        )


def _replay(context: Path, work: Path, arguments: dict[str, str], mirror: str) -> dict:
    dockerfile = read_dockerfile((context / "Dockerfile").read_text(encoding="utf-8"), arguments)
    is_ignored = read_dockerignore((context / ".dockerignore").read_text(encoding="utf-8"))
    suite = dockerfile.arguments["DEBIAN"].removesuffix("-slim")
    started = time.monotonic()
    base = work / "base"
    _debootstrap(suite, base, mirror)
    builder = Builder(
        dockerfile, context, is_ignored, base, f"debian:{dockerfile.arguments['DEBIAN']}", work, arguments
    )
    image = builder.build("adlens")
    built = round(time.monotonic() - started)
    lock = (context / f"requirements-{arguments.get('VARIANT', 'cpu')}.lock").read_text(encoding="utf-8")
    overrides = (context / "scripts/overrides.txt").read_text(encoding="utf-8")
    return {"build_seconds": built} | try_image(image, lock, overrides, work / "volume")


def _debootstrap(suite: str, base: Path, mirror: str) -> None:
    """A Debian without anything beside what it must have, as the official images are."""
    # In a mount namespace of its own: what it mounts is gone when it ends, however it does.
    command = [
        "unshare",
        "--mount",
        "debootstrap",
        "--variant=minbase",
        suite,
        str(base),
        *([mirror] if mirror else []),
    ]
    said = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if said.returncode:
        raise InputError(f"debootstrap {suite} failed: {said.stdout.strip().splitlines()[-1]}")
    # The machine's own names, which a container's engine gives when it starts one.
    for name in ("resolv.conf", "hostname"):
        (base / "etc" / name).write_text("", encoding="utf-8")
    for downloaded in (
        (base / "var/cache/apt/archives").glob("*.deb"),
        (base / "var/lib/apt/lists").glob("*_*"),
    ):
        for file in downloaded:
            file.unlink()


if __name__ == "__main__":
    sys.exit(main())
