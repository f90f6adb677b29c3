"""The command lines of deploy/, taken by the programs' own parsers."""

import re
import socket
import subprocess
import threading
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from scripts.check_deploy.command_rules import lines_agree, lines_are_taken
from scripts.check_deploy.compose_file import ComposeFile
from scripts.check_deploy.manifests import Manifests
from scripts.check_deploy.process import Process, kubernetes_processes
from scripts.check_deploy.secrets import documented_secrets
from serving.model_server.text_config import read_text_config
from serving.stack.models_config import MODELS, NUM_VERSIONS

REPOSITORY = Path(__file__).resolve().parents[3]
DEPLOY = REPOSITORY / "deploy"


@pytest.fixture
def compose(secret_files: dict[str, str]) -> dict[str, Process]:
    file = ComposeFile(DEPLOY / "compose" / "compose.yaml")
    return {each.name: each for each in file.processes(secret_files)}


@pytest.fixture
def kubernetes(production: Manifests, secret_files: dict[str, str]) -> dict[str, Process]:
    page = (REPOSITORY / "docs" / "deploy.md").read_text()
    secrets = documented_secrets(page, secret_files)
    return {each.name: each for each in kubernetes_processes(production, secrets)}


def test_lines_of_both_are_taken_and_agree(
    compose: dict[str, Process], kubernetes: dict[str, Process]
) -> None:
    names = {"tf-serving", "redis", "publisher", "encoder-service", "gateway"}
    assert compose.keys() == kubernetes.keys() == names
    assert list(lines_are_taken(compose.values())) == []
    assert list(lines_are_taken(kubernetes.values())) == []
    assert list(lines_agree(compose.values(), kubernetes.values())) == []


def with_line(process: Process, old: str, new: str) -> Process:
    assert any(old in text for text in process.line)
    return replace(process, line=tuple(text.replace(old, new) for text in process.line))


def with_file(process: Process, path: str, old: str, new: str) -> Process:
    assert old in process.files[path]
    return replace(process, files={**process.files, path: process.files[path].replace(old, new)})


MODELS_CONFIG = "/etc/tf-serving/models.config"
REDIS_CONFIG = "/etc/redis/redis.conf"
EXAMPLES: list[tuple[str, Callable[[Process], Process], str]] = [
    ("gateway", lambda p: with_line(p, "--host=", "--hots="), "gateway: .*--hots"),
    (
        "gateway",
        lambda p: with_line(p, "--token-file=", "--token-f="),
        "--token-f is no flag, only the beginning",
    ),
    ("gateway", lambda p: with_line(p, "--port=8080", "--port=http"), "gateway: .*--port: invalid int"),
    (
        "gateway",
        lambda p: with_line(p, "/models/release", "/model/release"),
        "nothing is mounted at /model/release.j",
    ),
    ("gateway", lambda p: with_line(p, "redis_url", "redis_uri"), "nothing is mounted at .*/redis_uri"),
    (
        "publisher",
        lambda p: replace(p, line=("adlens", "publish", "--watch")),
        "publisher: .*required: --release",
    ),
    (
        "encoder-service",
        lambda p: replace(p, files=dict.fromkeys(p.files, "two\nlines\n")),
        "encoder-service: .*expected one line with an address",
    ),
    ("tf-serving", lambda p: with_line(p, "--port=8500", "--host=0.0.0.0"), "TF Serving has no flag --host"),
    ("tf-serving", lambda p: with_line(p, "--enable_batching", "--enable_bathing"), "--enable_bathing"),
    (
        "tf-serving",
        lambda p: with_line(p, "models.config", "model.config"),
        "nothing is mounted at .*model.config",
    ),
    ("tf-serving", lambda p: with_file(p, MODELS_CONFIG, "base_path", "base"), "base"),
    ("tf-serving", lambda p: with_line(p, "=8501", "=8500"), "expected another port than --port"),
    (
        "redis",
        lambda p: with_file(p, REDIS_CONFIG, "appendfsync always", "appendfsync no"),
        "expected appendfsync al",
    ),
    ("redis", lambda p: with_file(p, REDIS_CONFIG, "users.acl", "user.acl"), "expected a mounted aclfile"),
    (
        "redis",
        lambda p: with_file(p, REDIS_CONFIG, "dir /data", "dir /"),
        "expected a volume at its dir, got /",
    ),
    (
        "redis",
        lambda p: replace(p, line=("sh", "-c", "redis-server")),
        "redis: expected adlens, tensorflow_model_ser",
    ),
]


@pytest.mark.parametrize(("name", "damage", "message"), EXAMPLES, ids=[text for *_, text in EXAMPLES])
def test_wrong_line_is_refused(
    name: str, damage: Callable[[Process], Process], message: str, kubernetes: dict[str, Process]
) -> None:
    found = "\n".join(lines_are_taken([damage(kubernetes[name])]))
    assert re.search(message, found), found


def test_lines_that_differ_are_found(compose: dict[str, Process], kubernetes: dict[str, Process]) -> None:
    other = kubernetes | {"gateway": with_line(kubernetes["gateway"], "--port=8080", "--port=8081")}
    (found,) = lines_agree(compose.values(), other.values())
    assert found.startswith("gateway: Compose runs")
    del other["gateway"]
    assert "Kubernetes None" in "\n".join(lines_agree(compose.values(), other.values()))


def test_models_are_those_of_one_machine() -> None:
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    config = read_text_config(DEPLOY / "tf-serving" / "models.config", ModelServerConfig())
    found = {
        each.name: each.model_version_policy.latest.num_versions for each in config.model_config_list.config
    }
    assert found == dict.fromkeys(MODELS, NUM_VERSIONS)
    assert all(each.base_path == f"/models/{each.name}" for each in config.model_config_list.config)


def test_secrets_are_new_each_time_and_never_overwritten(tmp_path: Path) -> None:
    script = str(DEPLOY / "make_secrets.sh")
    for name in ("one", "two"):
        subprocess.run([script, str(tmp_path / name)], check=True)
    for name in ("users.acl", "redis_url", "tokens", "metrics_token"):
        one, two = (tmp_path / folder / name for folder in ("one", "two"))
        assert one.read_text() != two.read_text()
        assert one.stat().st_mode & 0o222 == 0
    assert (tmp_path / "one").stat().st_mode & 0o077 == 0
    assert (tmp_path / "one" / ".gitignore").read_text() == "*\n"
    tokens = (tmp_path / "one" / "tokens").read_text().splitlines()
    assert len(set(tokens)) == 2 and tokens[1] == (tmp_path / "one" / "metrics_token").read_text()
    again = subprocess.run([script, str(tmp_path / "one")], check=False, capture_output=True, text=True)
    assert again.returncode == 1 and "users.acl is there already" in again.stderr


def test_secret_of_a_file_that_is_not_made_is_found() -> None:
    line = "kubectl -n adlens create secret generic adlens-redis-url --from-file=redis_url=secrets/url"
    with pytest.raises(ValueError, match="no file url is made"):
        documented_secrets(line, {"redis_url": "x"})


@pytest.fixture
def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def tf_serving_is_healthy(port: int) -> bool:
    """Runs the health check of the Compose file on another port."""
    check = ComposeFile(DEPLOY / "compose" / "compose.yaml").services["tf-serving"]["healthcheck"]["test"]
    assert check[:3] == ["CMD", "bash", "-c"] and "127.0.0.1/8501" in check[3]
    script = check[3].replace("127.0.0.1/8501", f"127.0.0.1/{port}")
    return (
        subprocess.run(["bash", "-c", script], check=False, stderr=subprocess.DEVNULL, timeout=10).returncode
        == 0
    )


@pytest.mark.parametrize("code", [200, 404, 503])
def test_health_check_of_tf_serving(code: int, free_port: int) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(code if self.path == "/v1/models/ctr" else 500)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """The answers say enough."""

    with HTTPServer(("127.0.0.1", free_port), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            assert tf_serving_is_healthy(free_port) == (code == 200)
        finally:
            server.shutdown()


def test_health_check_of_tf_serving_that_does_not_listen(free_port: int) -> None:
    assert not tf_serving_is_healthy(free_port)
