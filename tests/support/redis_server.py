"""A real Redis for tests, on a socket file of its own."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
import redis


def find_redis_server() -> str:
    """The path of `redis-server`: ADLENS_REDIS_SERVER, else what PATH has.

    Skips the test where there is none, or fails it where ADLENS_REQUIRE_REDIS is set, as CI does.
    """
    found = shutil.which(os.environ.get("ADLENS_REDIS_SERVER") or "redis-server")
    if found:
        return found
    missing = (
        "no redis-server: install it (Debian: apt-get install redis-server) or set ADLENS_REDIS_SERVER to it"
    )
    if os.environ.get("ADLENS_REQUIRE_REDIS"):
        pytest.fail(missing, pytrace=False)
    pytest.skip(missing)


class RedisServer:
    """A Redis that keeps what it acknowledges, and can be killed and started again on the same files.

    Args:
        folder: for its files.
        options: more of redis-server's, as `{"maxmemory": "8mb"}`.
    """

    def __init__(self, folder: Path, options: dict[str, str] | None = None) -> None:
        self.folder = folder
        # A socket's path may have no more than 107 characters, which a test's folder may exceed.
        self._socket_folder = Path(tempfile.mkdtemp(prefix="redis-"))
        self.url = f"unix://{self._socket_folder / 'redis.sock'}"
        self.options = {"appendonly": "yes", "appendfsync": "always"} | (options or {})
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        self._socket_folder.mkdir(exist_ok=True)
        socket = str(self._socket_folder / "redis.sock")
        settings = {"dir": ".", "port": "0", "unixsocket": socket, "save": ""} | self.options
        arguments = [text for name, value in settings.items() for text in (f"--{name}", value)]
        with (self.folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                [find_redis_server(), *arguments], cwd=self.folder, stdout=log, stderr=log
            )
        deadline = time.monotonic() + 30
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"redis-server did not start: {(self.folder / 'redis.log').read_text()}")
            time.sleep(0.01)

    def kill(self) -> None:
        """Kills it at once, as a crash would."""
        self._stop(signal.SIGKILL)

    def stop(self) -> None:
        """Stops it in order; fine where it has stopped."""
        self._stop(signal.SIGTERM)
        shutil.rmtree(self._socket_folder, ignore_errors=True)

    def _stop(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            self._process.wait(30)

    def _answers(self) -> bool:
        with redis.Redis.from_url(self.url) as client:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False
