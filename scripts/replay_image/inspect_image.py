"""What must not be in the image, and how large it is."""

import os
import re
import stat
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from scripts.replay_image.builder import Image

_BUILD_TOOLS = re.compile(
    r"^(?:.*-)?(?:gcc|g\+\+|cc|c\+\+|ld|as|make|pip3?|uv|dpkg-buildpackage)(?:[-.][\d.]+)?$"
)
_LEFT_OVER = (
    "var/lib/apt/lists/*",
    "var/cache/apt/*.bin",
    "root/.cache",
    "tmp/*",
    "usr/include/*",
    "tools",
    "source",
)
_LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


def find_problems(image: Image) -> Iterator[str]:
    """Files that must not be, and those that the image's user could change."""
    user, _, group = image.user.partition(":")
    if not (user.isdigit() and group.isdigit()) or user == "0":
        yield f"expected a user as numbers, and not root, got {image.user}"
        return
    for path, status in _files(image.root):
        name = "/" + path.relative_to(image.root).as_posix()
        if status.st_mode & (stat.S_ISUID | stat.S_ISGID) and stat.S_ISREG(status.st_mode):
            yield f"{name}: runs with its owner's rights"
        if status.st_uid == int(user) or (status.st_gid == int(group) and status.st_mode & stat.S_IWGRP):
            yield f"{name}: {image.user} may change it"
        if status.st_mode & stat.S_IWOTH and not stat.S_ISLNK(status.st_mode) and not _is_meant(path, status):
            yield f"{name}: anybody may change it"
        if path.parent.name == "bin" and _BUILD_TOOLS.match(path.name):
            yield f"{name}: a build tool"
        if path.name == "pip" and path.parent.name.endswith("-packages"):
            yield f"{name}: an installer"
    for pattern in _LEFT_OVER:
        yield from (f"/{found.relative_to(image.root)}: left over" for found in image.root.glob(pattern))


def compare_with_lock(installed: Mapping[str, str], lock: str) -> Iterator[str]:
    """Distributions that the lock does not name, those that it names otherwise, and those that are missing."""
    locked = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in _LOCKED.findall(lock)}
    found = {name: version for name, version in installed.items() if name != "adlens"}
    for name in sorted(locked.keys() | found.keys()):
        if locked.get(name) != found.get(name):
            yield f"{name}: the lock says {locked.get(name)}, the image has {found.get(name)}"


def measure(image: Image) -> dict[str, object]:
    """Megabytes (10^6 bytes) of the image: all of it, and its largest parts."""
    (packages,) = image.root.glob("opt/adlens/lib/python*/site-packages")
    parts = {path.name: _megabytes(path) for path in packages.iterdir() if path.is_dir()}
    largest = dict(sorted(parts.items(), key=lambda part: -part[1])[:10])
    return {"image": _megabytes(image.root), "packages": _megabytes(packages), "largest": largest}


def _megabytes(path: Path) -> int:
    said = subprocess.run(["du", "-s", "-x", "-B1", str(path)], check=True, stdout=subprocess.PIPE, text=True)
    return round(int(said.stdout.split()[0]) / 1e6)


def _files(root: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for folder, folders, files in os.walk(root):
        if Path(folder) == root:
            folders[:] = [name for name in folders if name not in ("dev", "proc", "sys")]
        for name in (*folders, *files):
            path = Path(folder, name)
            yield path, path.lstat()


def _is_meant(path: Path, status: os.stat_result) -> bool:
    """Whether it is a folder for everybody's files, where each can remove their own alone."""
    return stat.S_ISDIR(status.st_mode) and bool(status.st_mode & stat.S_ISVTX)
