"""A real Redis with the configuration and the users that deploy/ gives it."""

import contextlib
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import redis
import yaml
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis_server import find_redis_server

from serving.embedding_index.redis_embedding_index import RedisEmbeddingIndex
from serving.item_queue.new_item import NewItem
from serving.item_queue.redis_item_queue import RedisItemQueue
from serving.item_store.redis_item_store import RedisItemStore
from serving.item_store.stored_item import StoredItem

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
ITEM = StoredItem("item_1", "category_1", "shop_1", "a red shoe", {"price": 9.5})
VECTORS = {"item_1": np.arange(4, dtype=np.float32), "item_2": None}


@dataclass
class Deployed:
    """The server, for a client with the password and for one without."""

    url: str
    socket: str
    process: subprocess.Popen[bytes]
    line: list[str]

    def restart_after_kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)
        self.process = subprocess.Popen(self.line, stdout=subprocess.DEVNULL)
        wait(self.socket)


def client_of(socket: str, username: str | None = None, password: str | None = None) -> redis.Redis:
    # A wrong password is not tried again.
    return redis.Redis(
        unix_socket_path=socket, username=username, password=password, retry=Retry(NoBackoff(), 0)
    )


def health_client(socket: str) -> redis.Redis:
    return client_of(socket, "health", "any")


def wait(socket: str) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with health_client(socket) as client, contextlib.suppress(redis.ConnectionError):
            if client.ping():
                return
        time.sleep(0.02)
    raise RuntimeError("redis-server did not start")


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    server = find_redis_server()
    folder = tmp_path_factory.mktemp("redis")
    subprocess.run([str(DEPLOY / "make_secrets.sh"), str(folder / "secrets")], check=True)
    (folder / "data").mkdir()
    # A socket's path may have no more than 107 characters.
    socket_folder = Path(tempfile.mkdtemp(prefix="redis-"))
    socket = str(socket_folder / "redis.sock")
    text = (DEPLOY / "redis" / "redis.conf").read_text()
    # Redis goes to its folder as soon as it reads of it, and the container's is not here.
    for there, here in {"/data": folder / "data", "/run/secrets/redis": folder / "secrets"}.items():
        assert there in text
        text = text.replace(there, str(here))
    (folder / "redis.conf").write_text(text)
    options = ["--maxmemory", "64mb", "--unixsocket", socket, "--port", "0"]
    line = [server, str(folder / "redis.conf"), *options]
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL)
    try:
        wait(socket)
        address = (folder / "secrets" / "redis_url").read_text().strip()
        assert address.endswith("@redis:6379/0")
        url = address.replace("redis://", "unix://").replace("redis:6379/0", f"{socket}?db=0")
        found = Deployed(url, socket, process, line)
        yield found
        found.process.terminate()
        found.process.wait(30)
    finally:
        shutil.rmtree(socket_folder, ignore_errors=True)


def test_without_password_there_is_ping_alone(deployed: Deployed) -> None:
    with health_client(deployed.socket) as client:
        assert client.ping()
        for command in (
            ("GET", "adlens:x"),
            ("INFO",),
            ("CONFIG", "GET", "dir"),
            ("ACL", "WHOAMI"),
            ("KEYS", "*"),
        ):
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.execute_command(*command)
    with client_of(deployed.socket) as client:
        for command in (("PING",), ("GET", "adlens:x"), ("INFO",)):
            with pytest.raises(redis.exceptions.AuthenticationError):
                client.execute_command(*command)


def test_health_check_of_the_files_succeeds(deployed: Deployed) -> None:
    client = shutil.which("redis-cli")
    if client is None:
        pytest.skip("no redis-cli: install it (Debian: apt-get install redis-tools)")
    compose = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())
    _, program, *arguments = compose["services"]["redis"]["healthcheck"]["test"]
    assert (program, arguments[-1]) == ("redis-cli", "ping")
    line = [client, "-s", deployed.socket, *arguments]
    assert subprocess.run(line, check=False, capture_output=True).stdout == b"PONG\n"
    refused = subprocess.run([*line[:-1], "info"], check=False, capture_output=True)
    assert refused.returncode != 0


def test_wrong_password_is_refused(deployed: Deployed) -> None:
    with (
        client_of(deployed.socket, "adlens", "wrong") as client,
        pytest.raises(redis.exceptions.AuthenticationError),
    ):
        client.ping()


def test_clients_have_no_dangerous_command_and_no_other_keys(deployed: Deployed) -> None:
    with redis.Redis.from_url(deployed.url) as client:
        for command in (
            ("FLUSHALL",),
            ("CONFIG", "SET", "appendonly", "no"),
            ("SHUTDOWN",),
            ("ACL", "SETUSER", "default", "allcommands"),
            ("KEYS", "*"),
            ("GET", "another:key"),
        ):
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.execute_command(*command)


def test_stores_work_and_survive_a_kill(deployed: Deployed) -> None:
    index = RedisEmbeddingIndex(deployed.url)
    index.put("1", "image", VECTORS, announce=True)
    index.put("1", "image", VECTORS, replace=False)
    index.put("2", "image", VECTORS)
    index.serve("image", "1")
    index.drop("image", "2")
    items = RedisItemStore(deployed.url)
    items.put([ITEM], {"item_1": b"a picture"})
    queue = RedisItemQueue(deployed.url)
    for number in range(5):
        queue.put(NewItem(f"item_{number}", b"a picture", None, "category_1", "shop_1", 1.0))
    settled, buried, renewed, again = queue.claim("worker", 4, 60)
    assert queue.acknowledge([settled]) == [settled]
    assert queue.bury(buried, "no picture")
    assert len(queue.renew([renewed])) == 1
    assert queue.retry(again, 60, "later")
    index.close()
    items.close()

    deployed.restart_after_kill()

    index, items, queue = (
        RedisEmbeddingIndex(deployed.url),
        RedisItemStore(deployed.url),
        RedisItemQueue(deployed.url),
    )
    one, two = index.get("image", ["item_1", "item_2"])
    np.testing.assert_array_equal(one, [0, 1, 2, 3])
    assert two is None
    assert index.known("1", "image", ["item_2", "item_3"]) == [True, False]
    assert index.versions("image") == ["1"] and index.count("image", "1") == 2
    assert [change.item_id for change in index.changes("image", "1", 0, 10)] == ["item_1", "item_2"]
    assert sorted(each for ids, _ in index.scan("image", "1") for each in ids) == ["item_1", "item_2"]
    assert items.get(["item_1"]) == [ITEM] and items.image("item_1") == b"a picture"
    assert items.first(5) == [ITEM] and items.count() == 1
    assert queue.waiting() == 3 and queue.oldest_seconds() > 0
    assert [letter.item_id for letter in queue.dead(5)] == [buried.item.item_id]
    index.close()
    items.close()


def test_server_keeps_what_is_promised(deployed: Deployed) -> None:
    with redis.Redis.from_url(deployed.url) as client:
        settings = client.config_get("append*", "maxmemory-policy", "save")
    assert settings["appendonly"] == "yes"
    assert settings["appendfsync"] == "always"
    assert settings["maxmemory-policy"] == "noeviction"
    assert settings["save"] == ""
