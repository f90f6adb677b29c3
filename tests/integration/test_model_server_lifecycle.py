"""Versions that come, break and go under a running server; batching; warm-up; the command itself."""

import argparse
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest
from served_models import (
    free_port,
    models_config,
    predict_request,
    running,
    save_model,
    values,
    write_warm_up,
)
from tensorflow_serving.apis import model_management_pb2, model_service_pb2_grpc, prediction_service_pb2_grpc
from tensorflow_serving.config.file_system_storage_path_source_pb2 import FileSystemStoragePathSourceConfig

from serving.model_server.batching_parameters import BatchingParameters
from serving.model_server.cli import add_arguments
from serving.model_server.saved_model import SavedModel
from serving.model_server.serving_error import ServingError

X = np.array([0], np.float32)
AVAILABLE, LOADING, END = 30, 20, 50


def eventually(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def push(saved: Path, base: Path, version: int) -> None:
    """As a pusher does: written elsewhere, then moved to its name."""
    shutil.copytree(saved, base / "next")
    (base / "next").rename(base / str(version))


def test_new_versions_under_load_and_no_request_fails(tmp_path: Path) -> None:
    base = tmp_path / "m"
    save_model(base, 1, addend=1.0)
    saved = [save_model(tmp_path / "saved", version, addend=float(version)) for version in (2, 3, 4)]
    is_over = threading.Event()
    answers: list[tuple[int, float]] = []
    with running(models_config(("m", base)), rest_port=0) as client:

        def ask_grpc() -> None:
            while not is_over.is_set():
                response = client.predict(x=X)
                answers.append((response.model_spec.version.value, values(response, "y")[0]))

        def ask_rest() -> None:
            while not is_over.is_set():
                status, answer = client.rest_predict({"instances": [0]})
                assert status == 200
                (value,) = answer["predictions"]
                answers.append((int(value), value))

        with ThreadPoolExecutor(4) as pool:
            askers = [pool.submit(ask) for ask in (ask_grpc, ask_rest, ask_grpc)]
            for version, path in zip((2, 3, 4), saved, strict=True):
                push(path, base, version)
                eventually(lambda version=version: (version, AVAILABLE) in client.states())  # type: ignore[misc]
            # A corrupt one changes nothing.
            (base / "5").mkdir()
            (base / "5" / "saved_model.pb").write_bytes(b"\xff" * 100)
            eventually(lambda: (5, END) in client.states())
            is_over.set()
            for asker in askers:
                asker.result()
        assert {version for version, _ in answers} == {1, 2, 3, 4}
        assert all(value == version for version, value in answers)
        assert client.states() == [(5, END), (4, AVAILABLE), (3, END), (2, END), (1, END)]


def test_a_half_written_version_waits_until_it_is_whole(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    base = tmp_path / "m"
    save_model(base, 1, addend=1.0)
    saved = save_model(tmp_path / "saved", 2, addend=2.0)
    with running(models_config(("m", base)), rest_port=None, max_load_retries=100) as client:
        for part in ("saved_model.pb", "assets", "variables"):
            assert values(client.predict(x=X), "y") == [1.0]
            (base / "2").mkdir(exist_ok=True)
            tries = caplog.text.count("cannot load model m version 2")
            eventually(lambda tries=tries: caplog.text.count("cannot load model m version 2") > tries)  # type: ignore[misc]
            assert client.states()[0] == (2, LOADING)
            source = saved / part
            (shutil.copytree if source.is_dir() else shutil.copy)(source, base / "2" / part)
        eventually(lambda: client.states() == [(2, AVAILABLE), (1, END)])
        assert values(client.predict(x=X), "y") == [2.0]
    for reason in ("holds no saved_model.pb", "assets/words_of_2.txt", "variables/variables.index missing"):
        assert reason in caplog.text
    assert "version 1 serves on" in caplog.text


def test_status_says_why_a_version_failed(tmp_path: Path) -> None:
    base = tmp_path / "m"
    save_model(base, 1)
    (base / "2").mkdir()
    policy = FileSystemStoragePathSourceConfig.ServableVersionPolicy(all={})
    config = models_config(("m", base), model_version_policy=policy)
    with running(config, max_load_retries=0) as client:
        eventually(lambda: (2, END) in client.states() and (1, AVAILABLE) in client.states())
        failed, works = client.status().model_version_status
        assert failed.status.error_code == grpc.StatusCode.NOT_FOUND.value[0]
        assert "holds no saved_model.pb" in failed.status.error_message
        assert works.status.error_code == 0
        assert b'"error_code": "NOT_FOUND"' in client.rest("/v1/models/m/versions/2")[1]


def test_a_corrupt_newest_version_at_the_start_leaves_the_older_one(tmp_path: Path) -> None:
    base = tmp_path / "m"
    save_model(base, 1, addend=2.0)
    (base / "2").mkdir()
    (base / "2" / "saved_model.pb").write_bytes(b"\xff" * 100)
    policy = FileSystemStoragePathSourceConfig.ServableVersionPolicy(latest={"num_versions": 2})
    # Whoever waited for the next try would wait here for an hour.
    with running(models_config(("m", base), model_version_policy=policy), retry_seconds=3600) as client:
        assert client.states() == [(2, LOADING), (1, AVAILABLE)]
        response = client.predict(x=X)
        assert (values(response, "y"), response.model_spec.version.value) == ([2.0], 1)


def test_a_server_whose_model_fails_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "m" / "1").mkdir(parents=True)
    with (
        pytest.raises(ServingError, match="Some models did not become available.*holds no saved_model.pb"),
        running(models_config(("m", tmp_path / "m")), max_load_retries=1),
    ):
        pass


def test_models_come_and_go_with_the_configuration(tmp_path: Path) -> None:
    for name, addend in (("m", 1.0), ("n", 7.0)):
        save_model(tmp_path / name, 1, addend)
    with running(models_config(("m", tmp_path / "m")), rest_port=None) as client:
        stub = model_service_pb2_grpc.ModelServiceStub(client.channel)
        config = models_config(("n", tmp_path / "n"))
        response = stub.HandleReloadConfigRequest(model_management_pb2.ReloadConfigRequest(config=config))
        assert response.status.error_code == 0
        assert values(client.predict(name="n", x=X), "y") == [7.0]
        eventually(lambda: client.states("m") == [(1, END)])
        with pytest.raises(grpc.RpcError) as raised:
            client.predict(name="m", x=X)
        assert raised.value.code() == grpc.StatusCode.NOT_FOUND


def test_warm_up_comes_before_the_first_request(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    base = tmp_path / "m"
    write_warm_up(save_model(base, 1, addend=1.0), [predict_request(x=X)] * 3)
    caplog.set_level(logging.INFO)
    with running(models_config(("m", base)), rest_port=None) as client:
        assert "3 warm-up requests answered" in caplog.text
        saved = save_model(tmp_path / "saved", 2, addend=2.0)
        write_warm_up(saved, [predict_request(z=X)])
        push(saved, base, 2)
        eventually(lambda: (2, END) in client.states())
        assert values(client.predict(x=X), "y") == [1.0]
        assert (
            "input tensor alias not found in signature: z"
            in client.status(version=2).model_version_status[0].status.error_message
        )


class CountingModel(SavedModel):
    """Counts its runs, and takes its time."""

    runs = 0

    def run(self, feeds, fetches):  # type: ignore[no-untyped-def]
        type(self).runs += 1
        time.sleep(0.01)
        return super().run(feeds, fetches)


def test_callers_share_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_model(tmp_path / "m", 1, addend=2.0)
    monkeypatch.setattr("serving.model_server.model_server.SavedModel", CountingModel)
    parameters = BatchingParameters(
        max_batch_size=16, batch_timeout_micros=5_000, num_batch_threads=1, allowed_batch_sizes=(4, 16)
    )
    with running(models_config(("m", tmp_path / "m")), batching=parameters) as client:

        def ask(number: int) -> bool:
            return values(client.predict(x=np.float32([number, 2])), "y") == [0.5 * number + 2, 3.0]

        with ThreadPoolExecutor(12) as pool:
            assert all(pool.map(ask, range(240)))
        assert CountingModel.runs < 120
        assert client.rest_predict({"instances": [4]}) == (200, {"predictions": [4.0]})
        with pytest.raises(grpc.RpcError, match="larger than maximum input batch size 16"):
            client.predict(x=np.zeros(17, np.float32))
        with pytest.raises(grpc.RpcError, match="equal 0th-dimension size"):
            client.predict(signature="several", a=np.float32([1, 2]), b=np.int64([1]))
        with pytest.raises(grpc.RpcError, match="at least one dimension"):
            client.predict(signature="scalar", x=np.int32(1))


class HeldModel(SavedModel):
    """Answers when it may."""

    is_asked = threading.Event()
    may_answer = threading.Event()

    def run(self, feeds, fetches):  # type: ignore[no-untyped-def]
        self.is_asked.set()
        assert self.may_answer.wait(30)
        return super().run(feeds, fetches)


def test_a_full_queue_refuses_what_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_model(tmp_path / "m", 1, addend=2.0)
    monkeypatch.setattr("serving.model_server.model_server.SavedModel", HeldModel)
    parameters = BatchingParameters(max_batch_size=1, max_enqueued_batches=1, num_batch_threads=1)
    body = {"instances": [4]}
    with (
        running(models_config(("m", tmp_path / "m")), batching=parameters) as client,
        ThreadPoolExecutor(6) as pool,
    ):
        try:
            asked = [pool.submit(client.rest_predict, body)]
            assert HeldModel.is_asked.wait(30)
            # One runs, of these one waits.
            asked += [pool.submit(client.rest_predict, body) for _ in range(5)]
            eventually(lambda: sum(one.done() for one in asked) == 4)
            with pytest.raises(grpc.RpcError, match="task was submitted is full") as raised:
                client.predict(x=X)
        finally:
            HeldModel.may_answer.set()
        answers = sorted((one.result() for one in asked), key=lambda answer: answer[0])
    assert answers[:2] == [(200, {"predictions": [4.0]})] * 2
    # UNAVAILABLE is what TensorFlow's batching says of a full queue, not RESOURCE_EXHAUSTED.
    assert [status for status, _ in answers[2:]] == [503] * 4
    assert all("task was submitted is full" in answer["error"] for _, answer in answers[2:])
    assert raised.value.code() == grpc.StatusCode.UNAVAILABLE


def test_batching_model_by_model(tmp_path: Path) -> None:
    for name in ("m", "n"):
        save_model(tmp_path / name, 1)
    (tmp_path / "n" / "1" / "batching_params.pbtxt").write_text("max_batch_size { value: 2 }")
    config = models_config(("m", tmp_path / "m"), ("n", tmp_path / "n"))
    with running(config, batching=BatchingParameters(max_batch_size=1), per_model_batching=True) as client:
        assert len(values(client.predict(x=np.zeros(9, np.float32)), "y")) == 9
        assert len(values(client.predict(name="n", x=np.zeros(2, np.float32)), "y")) == 2
        with pytest.raises(grpc.RpcError, match="larger than maximum input batch size 2"):
            client.predict(name="n", x=np.zeros(3, np.float32))


def test_slow_requests_over_rest_are_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_model(tmp_path / "m", 1)
    monkeypatch.setattr("serving.model_server.model_server.SavedModel", CountingModel)
    with running(models_config(("m", tmp_path / "m")), rest_timeout_seconds=0.001) as client:
        assert client.rest("/v1/models/m:predict", '{"instances": [0]}')[0] == 504


COMMAND = """
import argparse, sys
from serving.model_server.cli import add_arguments, run
from transforms.input_error import InputError
parser = argparse.ArgumentParser()
add_arguments(parser)
try:
    sys.exit(run(parser.parse_args()))
except InputError as error:
    sys.exit(f"adlens: {error}")
"""


def start_command(*flags: str) -> subprocess.Popen:
    repository = Path(__file__).resolve().parents[2]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(repository)}
    command = [sys.executable, "-c", COMMAND, *flags]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def config_text(folder: Path, name: str) -> str:
    model = f"name: '{name}' base_path: '{folder}/m' model_platform: 'tensorflow'"
    return f"model_config_list {{ config {{ {model} }} }}"


def is_served(stub: prediction_service_pb2_grpc.PredictionServiceStub, name: str) -> bool:
    try:
        stub.Predict(predict_request(name, x=X), timeout=60)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.NOT_FOUND
        return False
    return True


def test_the_command(tmp_path: Path) -> None:
    save_model(tmp_path / "m", 1, addend=2.0)
    models = tmp_path / "models.config"
    models.write_text(config_text(tmp_path, "m"))
    port = free_port()
    process = start_command(
        f"--port={port}", f"--model_config_file={models}", "--model_config_file_poll_wait_seconds=1"
    )
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            response = stub.Predict(predict_request(x=X), timeout=60, wait_for_ready=True)
            assert values(response, "y") == [2.0]
            # The file is read again; while it is wrong, all stays as it was.
            models.write_text("nonsense")
            time.sleep(1.5)
            assert values(stub.Predict(predict_request(x=X), timeout=60), "y") == [2.0]
            models.write_text(config_text(tmp_path, "n"))
            eventually(lambda: is_served(stub, "n") and not is_served(stub, "m"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
    assert process.stderr is not None
    log = process.stderr.read()
    assert "model m version 1 is available" in log and "Traceback" not in log
    assert "the configuration stays as it was" in log and "expected a ModelServerConfig in text format" in log


def test_the_command_ends_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "m" / "1").mkdir(parents=True)
    process = start_command(f"--model_base_path={tmp_path}/m", "--model_name=m", "--max_num_load_retries=0")
    _, log = process.communicate(timeout=60)
    last = log.strip().splitlines()[-1]
    assert process.returncode == 1 and "Traceback" not in log
    assert last.startswith("adlens: cannot start: UNKNOWN: Some models did not become available")


def test_help_names_every_flag() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert "--file_system_poll_wait_seconds" in parser.format_help()
