"""Runs a command in a root folder of its own, as a container's process."""

import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT_USER = "0:0"


@dataclass(frozen=True)
class Jail:
    """How a command is to see its machine. Mounts last as long as the command and nobody else sees them.

    Attributes:
        root: the folder that becomes `/`.
        user: UID:GID. Another than root's can never become root.
        network: whether it has the machine's; else it has a loopback of its own alone.
        read_only: whether all but the mounts, `/tmp` and `/dev/shm` is.
        mounts: folders and files of this machine, by their places in the root.
    """

    root: Path
    user: str = ROOT_USER
    network: bool = True
    read_only: bool = False
    mounts: Mapping[str, Path] = field(default_factory=dict)

    def run(self, command: Sequence[str], environment: Mapping[str, str], folder: str = "/") -> str:
        """Runs a command to its end.

        Args:
            command: the program, looked for on the PATH of `environment`, and its arguments.
            environment: all of it.
            folder: the working folder.
        Returns:
            Its standard output. What it says on stderr goes to this program's.
        Raises:
            subprocess.CalledProcessError: it failed.
        """
        inner = [
            "env",
            "-i",
            f"--chdir={folder}",
            *(f"{name}={value}" for name, value in environment.items()),
        ]
        chroot = ["chroot", f"--userspec={self.user}", "--groups=", str(self.root), *inner, *command]
        if self.user != ROOT_USER:
            chroot = ["setpriv", "--no-new-privs", *chroot]
        script = "\n".join([*self._setup(), f"exec {shlex.join(chroot)}"])
        namespaces = ["--mount", "--pid", "--ipc", "--uts", *([] if self.network else ["--net"])]
        return subprocess.run(
            ["unshare", *namespaces, "--fork", "--kill-child", "sh", "-euc", script],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout

    def _setup(self) -> list[str]:
        lines = [_mount("--bind", self.root, self.root)]
        for place, source in self.mounts.items():
            target = self.root / place.lstrip("/")
            # What is mounted on has to be there.
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                target.mkdir(exist_ok=True)
            else:
                target.touch()
        if self.read_only:
            lines.append(_mount("-o", "remount,bind,ro", self.root))
            lines.append(_mount("-t", "tmpfs", "-o", "mode=1777,nosuid,nodev", "tmpfs", self.root / "tmp"))
        lines += [
            _mount("--bind", source, self.root / place.lstrip("/")) for place, source in self.mounts.items()
        ]
        lines.append(_mount("-t", "proc", "proc", self.root / "proc"))
        lines.append(_mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", self.root / "dev/shm"))
        lines.append(
            _mount("-t", "devpts", "-o", "newinstance,ptmxmode=0666", "devpts", self.root / "dev/pts")
        )
        if not self.network:
            # A name that leads to the loopback, as a container's own name does.
            lines += ["ip link set lo up", "hostname localhost"]
        return lines


def _mount(*words: str | Path) -> str:
    return shlex.join(["mount", *map(str, words)])
