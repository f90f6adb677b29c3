"""Counts what is lost and doubled when a part dies, a disk is full, pictures are broken or models are pushed.

    python benchmarks/faults.py [--root runs/demo/root] [--logs runs/demo/logs] [--quick] [--only NAME …]

`adlens serve` runs over what `make demo` has pushed. In each trial 20 new items a second come for half a minute, as in
`freshness.py`, and what the trial is named after happens a third of the way:

- encoder_service, model_server, gateway: `kill -9`; the supervisor starts it again, and the client puts again what was
  not answered.
- redis: items, queue and embeddings lie in a Redis with `appendonly yes` and `appendfsync always`; it is killed with
  `kill -9` and started again 3 seconds later.
- full_disk: the stores lie on a file system of their own, of which another file takes all that is free, for 10 seconds.
- corrupt_images: every tenth picture is broken: noise, or cut off in its middle.
- push: no items but requests for recommendations, by 4 clients at once. A new version of the ranking model and of the
  recall model is pushed, and then of each one that is broken.

Lost is an item whose PUT was answered with 202 and that is not usable a minute after the last one came. Doubled are
items that stand twice in one answer: among 200 ads, for which it asks every few seconds and at the end, in a search, or
among the dead letters. Both have to be 0, and so have the requests that fail while models are pushed.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.closed_loop import closed_loop
from benchmarks.new_items import NewItem, Stream, make_items, read_contents
from benchmarks.reporting import Bar, progress, report
from benchmarks.running_stack import RunningStack, copy_root, free_ports, percentile_ms

RATE, SECONDS, QUICK_SECONDS = 20.0, 30, 12
PATIENCE_SECONDS = 60.0
REDIS_AWAY_SECONDS, FULL_SECONDS = 3.0, 10.0
DISK_MIB = 256
CORRUPT_EVERY = 10
PUSH_CLIENTS = 4

Contents = Sequence[tuple[bytes, str]]
Fault = Callable[[], None]


@dataclass(frozen=True)
class Trial:
    """A stack under load.

    Attributes:
        stack: runs.
        contents: of the items that come.
        seconds: of load.
    """

    stack: RunningStack
    contents: Contents
    seconds: int

    def run(
        self, name: str, fault: Fault, corrupt: Callable[[NewItem], None] | None = None
    ) -> dict[str, Any]:
        """Has new items come, lets something happen meanwhile, and counts."""
        progress(f"{name}: {self.seconds} s of {RATE:.0f} items a second")
        items = make_items(name, self.contents, int(RATE * self.seconds))
        if corrupt is not None:
            for item in items[::CORRUPT_EVERY]:
                corrupt(item)
        user, *_ = self.stack.sample_users()
        stream = Stream(self.stack, items, RATE, user)
        timer = threading.Timer(self.seconds / 3, fault)
        timer.start()
        # Broken items never become usable, so that it would wait for them.
        broken = {item.item_id for item in items[::CORRUPT_EVERY]} if corrupt else set()
        stream.run(PATIENCE_SECONDS, ignored=broken)
        timer.join()
        sound = [item for item in items if item.item_id not in broken]
        lost = [item for item in sound if item.usable_at is None]
        usable = [item.usable_at - item.put_at for item in sound if item.usable_at is not None]
        figures: dict[str, Any] = {
            "items": len(sound),
            "lost": len(lost),
            "doubled": stream.doubled,
            "lists_of_ads": stream.lists_of_ads,
            "usable_p50_ms": percentile_ms(usable, 0.5),
            "usable_max_ms": percentile_ms(usable, 1.0),
            "failed_checks": stream.failed_checks,
        }
        if broken:
            letters = self._dead_letters()
            figures["doubled"] += len(letters) - len(set(letters))
            figures |= _account_for([item for item in items if item.item_id in broken], letters)
        progress(f"{name}: {json.dumps(figures)}")
        return figures

    def _dead_letters(self) -> list[str]:
        """The items of all dead letters, each as often as it has one."""
        letters = self.stack.client().get("/v1/dead-letters?limit=1000").body["dead_letters"]
        return [letter["item_id"] for letter in letters]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, default=Path("runs/demo/root"))
    parser.add_argument("--logs", type=Path, default=Path("runs/demo/logs"))
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_SECONDS} s of load a trial")
    groups = {"embedded": _embedded, "redis": _redis, "full_disk": _full_disk, "push": _push}
    parser.add_argument("--only", nargs="+", choices=groups, default=list(groups), metavar="NAME")
    options = parser.parse_args()
    contents = read_contents(options.logs)
    seconds = QUICK_SECONDS if options.quick else SECONDS
    figures: dict[str, Any] = {}
    for name in options.only:
        with tempfile.TemporaryDirectory(prefix=f"{name}_") as folder:
            figures |= groups[name](copy_root(options.root, Path(folder)), contents, seconds)
    report("faults", figures, _bars(figures))


def _bars(figures: dict[str, Any]) -> dict[str, Bar]:
    counted = ("lost", "doubled", "unaccounted", "failed_requests", "broken_versions_served", "unexplained")
    return {
        f"{trial}_{name}": Bar(found[name], at_most=0)
        for trial, found in figures.items()
        for name in counted
        if name in found
    }


def _account_for(broken: Sequence[NewItem], letters: Sequence[str]) -> dict[str, int]:
    """Where broken items have gone."""
    refused = [item for item in broken if item.status == 400]
    dead = [item for item in broken if item.status == 202 and item.item_id in letters]
    missing = len(broken) - len(refused) - len(dead)
    return {"corrupt": len(broken), "refused": len(refused), "dead": len(dead), "unaccounted": missing}


@contextlib.contextmanager
def _running(stack: RunningStack) -> Iterator[RunningStack]:
    try:
        progress(f"ready after {stack.start():.0f} s")
        yield stack
    finally:
        stack.stop()


def _embedded(root: Path, contents: Contents, seconds: int) -> dict[str, Any]:
    with _running(RunningStack(root)) as stack:
        trial = Trial(stack, contents, seconds)
        figures = {}
        for part in ("encoder-service", "model-server", "gateway"):
            figures[part.replace("-", "_")] = trial.run(part, lambda part=part: stack.kill(part))  # type: ignore[misc]
        figures["corrupt_images"] = trial.run("corrupt", lambda: None, _corrupt)
        return figures


def _corrupt(item: NewItem) -> None:
    """Noise where its number is a multiple of twice the step, otherwise a picture that ends in its middle."""
    number = int(item.item_id.rsplit("_", 1)[1])
    if number // CORRUPT_EVERY % 2:
        item.image = item.image[: len(item.image) // 2]
    else:
        item.image = np.random.default_rng(number).bytes(500)


def _redis(root: Path, contents: Contents, seconds: int) -> dict[str, Any]:
    server = Redis(root)
    server.start()
    try:
        with _running(RunningStack(root, "--redis", server.url)) as stack:
            trial = Trial(stack, contents, seconds)
            return {"redis": trial.run("redis", server.restart)}
    finally:
        server.stop()


class Redis:
    """A Redis that keeps what it acknowledges.

    Args:
        folder: for its files.
    """

    def __init__(self, folder: Path) -> None:
        (port,) = free_ports(1)
        self.url = f"redis://127.0.0.1:{port}/0"
        kept = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        self._command = [
            "redis-server",
            "--bind",
            "127.0.0.1",
            "--port",
            str(port),
            "--dir",
            str(folder),
            *kept,
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        time.sleep(1)

    def restart(self) -> None:
        """Kills it at once, and starts it again after a while."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        time.sleep(REDIS_AWAY_SECONDS)
        self.start()

    def stop(self) -> None:
        """Stops it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()


def _full_disk(root: Path, contents: Contents, seconds: int) -> dict[str, Any]:
    online = root / "online"
    online.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(online)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False).returncode != 0:
        progress("full_disk: left out, for it takes a file system of its own, which root alone can mount")
        return {}
    try:
        with _running(RunningStack(root)) as stack:
            trial = Trial(stack, contents, seconds)
            return {"full_disk": trial.run("full_disk", lambda: _fill(online / "filler"))}
    finally:
        subprocess.run(["umount", str(online)], check=True)


def _fill(file: Path) -> None:
    with file.open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(bytes(1 << 12))
    time.sleep(FULL_SECONDS)
    file.unlink()


def _push(root: Path, contents: Contents, seconds: int) -> dict[str, Any]:
    with _running(RunningStack(root)) as stack:
        users = stack.sample_users()
        bodies = [{**user, "k": 10} for user in users]
        is_over = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            load = pool.submit(closed_loop, stack, bodies, PUSH_CLIENTS, lambda _: not is_over.is_set())
            try:
                pushed = {model: _push_whole(stack, root, model) for model in ("ctr", "recall")}
                broken = {model: _push_broken(root, model) for model in ("ctr", "recall")}
                unexplained = sum(not _is_explained(stack, model, broken[model]) for model in broken)
                time.sleep(seconds / 3)
            finally:
                is_over.set()
            result = load.result()
    seen = {model: sorted(result.served(model)) for model in pushed}
    progress(f"push: {seen}")
    if any(pushed[model] not in seen[model] for model in pushed):
        raise RuntimeError(f"expected answers of the pushed {pushed}, got {seen}")
    return {
        "push": result.figures()
        | {
            "failed_requests": result.failed,
            "broken_versions_served": sum(broken[model] in seen[model] for model in broken),
            "unexplained": unexplained,
        }
    }


def _push_whole(stack: RunningStack, root: Path, model: str) -> str:
    """Pushes the latest version once more, under the next number, and waits until it answers."""
    base = root / "serving" / model
    latest = max(int(path.name) for path in base.iterdir() if path.name.isdecimal())
    version = str(latest + 1)
    shutil.copytree(base / str(latest), base / "next")
    (base / "next").rename(base / version)
    user, *_ = stack.sample_users()
    client = stack.client()

    def is_served() -> bool:
        return client.post("/v1/recommend", {**user, "k": 1}).body.get("versions", {}).get(model) == version

    stack.wait_for(is_served, 60)
    return version


def _push_broken(root: Path, model: str) -> str:
    base = root / "serving" / model
    version = str(1 + max(int(path.name) for path in base.iterdir() if path.name.isdecimal()))
    (base / version).mkdir()
    (base / version / "saved_model.pb").write_bytes(np.random.default_rng(0).bytes(1_000))
    return version


def _is_explained(stack: RunningStack, model: str, version: str) -> bool:
    """Whether the model server's log says why a version is not served."""
    try:
        stack.wait_for(
            lambda: f"cannot load model {model} version {version}" in stack.log("model-server"), 30
        )
    except RuntimeError:
        return False
    return True


if __name__ == "__main__":
    main()
