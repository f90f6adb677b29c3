"""What a stack is made of: the settings, the folder with its lock, the models' configuration, the command lines."""

import argparse
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from pipeline.cli import main
from serving.model_server.text_config import read_text_config
from serving.stack import cli
from serving.stack.config import StackConfig
from serving.stack.models_config import ModelsConfig
from serving.stack.online_folder import OnlineFolder
from serving.stack.stack_parts import gateway_url, stack_parts
from transforms.input_error import InputError


def push(root: Path, model: str, version: str = "1") -> None:
    (root / "serving" / model / version).mkdir(parents=True)


def models_of(file: Path) -> dict[str, tuple[str, int]]:
    """Base path and number of versions by model, as the model server reads them."""
    config = read_text_config(file, ModelServerConfig())
    return {
        model.name: (model.base_path, model.model_version_policy.latest.num_versions)
        for model in config.model_config_list.config
    }


def test_the_models_that_were_pushed_are_served(tmp_path: Path) -> None:
    root = tmp_path / 'a "quoted" földer'
    push(root, "ctr")
    push(root, "image_encoder", "12")
    (root / "serving" / "recall").mkdir()
    file = tmp_path / "models.config"
    models = ModelsConfig(root / "serving", file)
    models.refresh()
    assert models_of(file) == {
        # The one before the last as well: it serves where a start finds that the last one cannot be loaded.
        "ctr": (str(root / "serving" / "ctr"), 2),
        "image_encoder": (str(root / "serving" / "image_encoder"), 2),
    }
    # What is no version is none; a first one adds the model; others leave the file alone.
    (root / "serving" / "recall" / "tmp").mkdir()
    push(root, "ctr", "2")
    written = file.stat().st_mtime_ns
    models.refresh()
    assert file.stat().st_mtime_ns == written
    push(root, "recall", "3")
    models.refresh()
    assert sorted(models_of(file)) == ["ctr", "image_encoder", "recall"]
    assert models_of(file)["recall"][1] == 2


def test_one_process_at_a_time_and_its_death_frees_the_folder(tmp_path: Path) -> None:
    online = OnlineFolder(tmp_path / "online")
    hold = (
        "import sys, time; from pathlib import Path; from serving.stack.online_folder import OnlineFolder\n"
        f"with OnlineFolder(Path({str(online.path)!r})).lock(): print('held', flush=True); time.sleep(600)"
    )
    holder = subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE)
    assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
    with pytest.raises(InputError, match=f"process {holder.pid} serves it"), online.lock():
        pass
    holder.kill()
    holder.wait()
    holder.stdout.close()
    for _ in range(2):
        with online.lock():
            assert (online.path / "lock").read_text() == f"{os.getpid()}\n" and online.logs.is_dir()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"port": 0}, "serve.port must be between 1 and 65535, got 0"),
        ({"rest_port": 65536}, "serve.rest_port must be between 1 and 65535"),
        ({"grpc_port": 8080}, "serve.ports must be all different"),
        ({"workers": 0}, "serve.workers must be at least 1, got 0"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        StackConfig(Path("root"), **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080"),
        ("0.0.0.0", "http://127.0.0.1:8080"),
        ("::", "http://[::1]:8080"),
        ("::1", "http://[::1]:8080"),
        ("shop.local", "http://shop.local:8080"),
    ],
)
def test_where_the_gateway_answers(host: str, url: str) -> None:
    assert gateway_url(StackConfig(Path("root"), host)) == url


def test_the_command_lines_are_ones_that_the_parts_take(tmp_path: Path) -> None:
    config = StackConfig(tmp_path / "root", token_file=tmp_path / "tokens")
    online = OnlineFolder(tmp_path / "online")
    parts = stack_parts(config, online)
    assert [part.name for part in parts] == ["gateway", "encoder-service", "publisher", "model-server"]
    from pipeline.cli import _parser

    read = {part.name: _parser().parse_args(part.command[1:]) for part in parts}
    addresses = {
        (name, getattr(options, name))
        for options in read.values()
        for name in ("index", "items", "queue", "model_server", "release")
        if hasattr(options, name)
    }
    # All of them name the same places.
    assert len(addresses) == 5
    assert Path(parts[0].command[0]).is_file()
    server: argparse.Namespace = read["model-server"]
    assert (server.host, server.model_config_file) == ("127.0.0.1", online.models_config)


def test_more_flags_of_the_gateway(tmp_path: Path) -> None:
    more = ("--rate-limit=50", "--port=1")
    gateway, *_ = stack_parts(StackConfig(tmp_path, gateway_flags=more), OnlineFolder(tmp_path / "online"))
    from pipeline.cli import _parser

    options = _parser().parse_args(gateway.command[1:])
    # What the parts have to agree on is the stack's.
    assert (options.rate_limit, options.port) == (50.0, 8080)


def test_a_flag_that_the_gateway_does_not_know_starts_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "serving").mkdir()
    (tmp_path / "serving" / "release.json").write_text("{}")
    with pytest.raises(SystemExit, match="2"):
        main(["serve", "--root", str(tmp_path), "--gateway-flag=--rate-limits=50"])
    assert "unrecognized arguments: --rate-limits=50" in capsys.readouterr().err
    assert not (tmp_path / "online").exists()


def test_a_broken_pipe_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        cli._say("nobody reads this")
        cli._say("nor this")
        monkeypatch.undo()


def test_a_root_without_a_release_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--root", str(tmp_path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        f"adlens: {tmp_path}: expected the root of a finished run, found no serving/release.json:"
        f" `adlens run --logs LOGS --root {tmp_path}` makes it"
    )
    assert not (tmp_path / "online").exists()


def test_a_port_in_use_and_a_second_start_are_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "serving").mkdir()
    (tmp_path / "serving" / "release.json").write_text("{}")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["serve", "--root", str(tmp_path), "--rest-port", str(port)]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line == f"adlens: --rest-port: cannot listen on 127.0.0.1:{port}: Address already in use"
    with OnlineFolder(tmp_path / "online").lock():
        assert main(["serve", "--root", str(tmp_path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"adlens: {tmp_path}/online: process {os.getpid()} serves it; one can at a time"
