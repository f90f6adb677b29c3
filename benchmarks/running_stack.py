"""What the benchmarks of serving share: `adlens serve` as a process, and clients of its gateway."""

import base64
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ADLENS = Path(sys.executable).parent / "adlens"
# The last two words of a part's program, by its name.
PARTS = {
    "gateway": "gateway",
    "encoder-service": "encoder-service",
    "publisher": "publish",
    "model-server": "model-server",
}
READY_SECONDS = 300.0


class RunningStack:
    """`adlens serve` over a root, on free ports.

    Args:
        root: a run's root, whose folder `online` is used.
        more: more flags.
    """

    def __init__(self, root: Path, *more: str) -> None:
        self.root = root
        self.port, self.grpc_port, self.rest_port, self.status_port = free_ports(4)
        ports = {"port": self.port, "grpc-port": self.grpc_port, "rest-port": self.rest_port}
        ports["status-port"] = self.status_port
        flags = [text for name, port in ports.items() for text in (f"--{name}", str(port))]
        self._command = [str(ADLENS), "serve", "--root", str(root), *flags, *more]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Starts it. Returns the seconds after which its gateway was ready and the catalog searchable."""
        started = time.monotonic()
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        self.wait_for(self.is_ready, READY_SECONDS)
        return time.monotonic() - started

    def stop(self) -> None:
        """Stops it in order; fine where it has stopped."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(60)

    def is_ready(self) -> bool:
        """Whether the gateway answers recommendations and search."""
        client = self.client()
        try:
            if client.get("/ready").status != 200:
                return False
            status = client.get("/v1/status").body
        except (OSError, http.client.HTTPException):
            return False
        return bool(status["recallable"] and all(status["searchable"].values()))

    def client(self, timeout: float = 30.0) -> "GatewayClient":
        """A client of its gateway, for one thread."""
        return GatewayClient(self.port, timeout)

    def sample_users(self) -> list[dict[str, Any]]:
        """Users of the release, each with behaviors, as a request for recommendations has them."""
        users: list[dict[str, Any]] = self.client().get("/v1/sample-users").body["sample_users"]
        return users

    def pids(self, part: str) -> list[int]:
        """A part's process and those that it started; none while it does not run."""
        assert self._process is not None
        word = PARTS[part]
        own = [pid for pid in _children(self._process.pid) if _command_of(pid)[2:3] == [word]]
        return own + [child for pid in own for child in _children(pid)]

    def kill(self, part: str) -> None:
        """Kills a part's process at once, as a crash would."""
        pid, *_ = self.pids(part)
        os.kill(pid, signal.SIGKILL)

    def memory_mib(self) -> dict[str, float]:
        """What each part has in memory for itself, and its share of what it shares with others."""
        return {part: round(sum(map(_memory_mib, self.pids(part))), 1) for part in PARTS}

    def processor_seconds(self) -> dict[str, float]:
        """What each part has used of the processor since it was started."""
        return {part: sum(map(_processor_seconds, self.pids(part))) for part in PARTS}

    def log(self, part: str) -> str:
        """What a part said."""
        return (self.root / "online" / "logs" / f"{part}.log").read_text(encoding="utf-8", errors="replace")

    def wait_for(self, condition: Callable[[], bool], seconds: float) -> None:
        """Waits until something holds.

        Raises:
            RuntimeError: it does not in time, or the stack has ended.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"adlens serve: not as expected within {seconds:.0f} s; see {self.root}")
            time.sleep(0.1)


@dataclass(frozen=True)
class Answer:
    """What the gateway answered.

    Attributes:
        status: of HTTP.
        body: the JSON.
        seconds: how long it took.
    """

    status: int
    body: Any
    seconds: float = field(compare=False)


class GatewayClient:
    """A client of the gateway, over one connection that is kept; for one thread.

    Args:
        port: on this machine.
        timeout: seconds, of each request.
    """

    def __init__(self, port: int, timeout: float) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def get(self, path: str) -> Answer:
        """Raises OSError or HTTPException where there is no answer."""
        return self._ask("GET", path, None)

    def post(self, path: str, body: Mapping[str, Any]) -> Answer:
        """Raises OSError or HTTPException where there is no answer."""
        return self._ask("POST", path, json.dumps(body).encode())

    def put_item(self, item_id: str, image: bytes | None, title: str | None) -> Answer:
        """Introduces an item. Raises OSError or HTTPException where there is no answer."""
        encoded = None if image is None else base64.b64encode(image).decode()
        body: dict[str, Any] = {"title": title, "image": encoded, "category_id": "c00", "shop_id": "s00001"}
        return self._ask("PUT", f"/v1/items/{item_id}", json.dumps(body | {"features": {}}).encode())

    def put_until_taken(self, item_id: str, image: bytes, title: str, seconds: float = 120.0) -> Answer:
        """As a shop does: once more after no answer, 429 and 5xx, until there is one of another kind."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                answer = self.put_item(item_id, image, title)
                if answer.status < 500 and answer.status != 429:
                    return answer
            except (OSError, http.client.HTTPException):
                pass
            if time.monotonic() > deadline:
                raise RuntimeError(f"{item_id} was not taken within {seconds:.0f} s")
            time.sleep(0.2)

    def _ask(self, method: str, path: str, body: bytes | None) -> Answer:
        started = time.perf_counter()
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            self._connection.request(method, path, body, headers)
            response = self._connection.getresponse()
            data = response.read()
        except (OSError, http.client.HTTPException):
            # The next request opens a connection anew.
            self._connection.close()
            raise
        seconds = time.perf_counter() - started
        return Answer(response.status, json.loads(data) if data else None, seconds)


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nothing listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def percentile_ms(seconds: list[float], share: float) -> float:
    """Of sorted or unsorted seconds, in milliseconds."""
    ordered = sorted(seconds)
    return round(1_000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)


def copy_root(root: Path, target: Path) -> Path:
    """Makes a root of its own that serves what another one has pushed; returns it."""
    if not (root / "serving" / "release.json").is_file():
        raise SystemExit(
            f"{root}: expected a finished run, as `make demo` makes it, found no serving/release.json"
        )
    shutil.copytree(root / "serving", target / "serving")
    return target


def _children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parent = int((entry / "stat").read_text().rsplit(") ", 1)[1].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == pid:
                found.append(int(entry.name))
    return found


def _command_of(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


def _processor_seconds(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _memory_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    (pss,) = [line for line in lines if line.startswith("Pss:")]
    return int(pss.split()[1]) / 1024
