"""`adlens submit` against a double of the server of Kubeflow Pipelines: what it sends, shows and says."""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml
from kfp import compiler, dsl
from kfp_api import KfpApi, RunningKfpApi
from server_certificate import make_certificate

from pipeline.cli import main
from pipeline.kubeflow import submit_follow, submit_server

TOKEN = "s3cret-t0ken"


@dsl.container_component
def prepare(logs: str, out: dsl.Output[dsl.Dataset]):  # type: ignore[no-untyped-def]
    return dsl.ContainerSpec(image="debian", command=["true"], args=[logs, out.path])


@dsl.container_component
def train(data: dsl.Input[dsl.Dataset], epochs: int):  # type: ignore[no-untyped-def]
    return dsl.ContainerSpec(image="debian", command=["true"], args=[data.path, str(epochs)])


@dsl.pipeline(name="shop")
def shop(logs: str, epochs: int = 2) -> None:
    prepared = prepare(logs=logs)
    train(data=prepared.outputs["out"], epochs=epochs)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("submit") / "pipeline.yaml"
    compiler.Compiler().compile(shop, str(path))
    return path


@pytest.fixture(autouse=True)
def nothing_left_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No token, and no settings where the client looks for such."""
    monkeypatch.delenv("ADLENS_KFP_TOKEN", raising=False)
    monkeypatch.setattr(submit_server.Client, "_LOCAL_KFP_CONTEXT", str(tmp_path / "context.json"))


@pytest.fixture
def server() -> Iterator[RunningKfpApi]:
    with RunningKfpApi(KfpApi()) as running:
        yield running


Submit = Callable[..., int]


@pytest.fixture
def submit(server: RunningKfpApi, package: Path) -> Submit:
    """Submits the pipeline with its one needed parameter and whatever else is said."""

    def submit(*more: str) -> int:
        flags = ["--pipeline", str(package), "--param", "logs=/data/logs", "--every", "0.01"]
        return main(["submit", "--endpoint", server.url, *flags, *more])

    return submit


def _between_looks(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Lets something happen after the first look at a run."""
    acts = [act]
    monkeypatch.setattr(submit_follow.time, "sleep", lambda _: acts.pop()() if acts else None)


def test_a_run_is_started_and_followed_to_its_end(
    submit: Submit, server: RunningKfpApi, package: Path, capsys: pytest.CaptureFixture
) -> None:
    assert submit("--param", "epochs=5", "--experiment", "spring", "--run-name", "first") == 0
    state = server.state
    ((run_id, run),) = state.runs.items()
    assert run.runtime_config.parameters == {"logs": "/data/logs", "epochs": 5}
    assert run.display_name == "first"
    assert state.experiments[run.experiment_id].display_name == "spring"
    assert list(state.uploads.values()) == [package.read_text()]
    said = capsys.readouterr()
    page = f"{server.url}/#/runs/details/{run_id}"
    assert said.out == f"run {run_id} succeeded: {page}\n"
    # The double's tasks take seven and a half seconds.
    assert said.err.splitlines() == [
        f"adlens: run {run_id} of shop: {page}",
        "[ 1/2] prepare            …",
        "[ 1/2] prepare            7.5 s",
        "[ 2/2] train              …",
        "[ 2/2] train              7.5 s",
    ]


def test_the_same_name_again_is_a_new_version(submit: Submit, server: RunningKfpApi) -> None:
    assert submit("--no-wait") == 0
    assert submit("--no-wait") == 0
    assert submit("--no-wait", "--name", "another shop") == 0
    state = server.state
    assert [each.display_name for each in state.pipelines.values()] == ["shop", "another shop"]
    assert [
        state.pipelines[each.pipeline_version_reference.pipeline_id].display_name
        for each in state.runs.values()
    ] == ["shop", "shop", "another shop"]
    assert len({each.pipeline_version_reference.pipeline_version_id for each in state.runs.values()}) == 3
    # One experiment for all of them.
    assert [each.display_name for each in state.experiments.values()] == ["adlens"]


def test_a_run_that_was_left_to_itself_is_followed_later(
    submit: Submit, server: RunningKfpApi, capsys: pytest.CaptureFixture
) -> None:
    assert submit("--no-wait") == 0
    run_id = capsys.readouterr().out.strip()
    assert f"GET /runs/{run_id}" not in server.state.requests
    assert main(["submit", "--endpoint", server.url, "--follow", run_id, "--every", "0.01"]) == 0
    assert capsys.readouterr().err.splitlines()[-1] == "[ 2/2] train              7.5 s"
    assert len(server.state.runs) == 1


LOG = """I0121 main.go:30 launcher starts
adlens: LogIngest: /data/logs has no catalog\x1b[31m
F0121 main.go:50 failed to execute component: exit status 1
"""


@pytest.mark.parametrize(
    ("log", "message"),
    [
        (LOG, ": LogIngest: /data/logs has no catalog [31m"),
        ("Killed\n\n", ": Killed"),
        ("x" * 200_000 + "\nadlens: no\n", ": no"),
        ("", ""),
        (None, ""),
    ],
)
def test_a_failed_run_names_the_task_and_its_last_words(
    log: str | None, message: str, submit: Submit, server: RunningKfpApi, capsys: pytest.CaptureFixture
) -> None:
    server.state.failing = ("prepare", log)
    assert submit() == 1
    said = capsys.readouterr()
    (run_id,) = server.state.runs
    assert said.out == ""
    *_, progress, line = said.err.splitlines()
    assert progress == "[ 1/2] prepare            failed"
    page = f"{server.url}/#/runs/details/{run_id}"
    assert line == f"adlens: run {run_id} failed in task prepare{message}; {page} shows it"


@pytest.mark.parametrize("given", ["file", "variable"])
def test_a_token_lets_in_and_is_never_shown(
    given: str,
    submit: Submit,
    server: RunningKfpApi,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture,
) -> None:
    server.state.token = TOKEN
    flags = []
    if given == "file":
        (tmp_path / "token").write_text(f"{TOKEN}\n")
        flags = ["--token-file", str(tmp_path / "token")]
    else:
        monkeypatch.setenv("ADLENS_KFP_TOKEN", TOKEN)
    assert submit(*flags) == 0
    server.state.token = "another"
    assert submit(*flags) == 1
    said = capfd.readouterr()
    assert said.err.splitlines()[-1] == (
        f"adlens: {server.url} does not accept the token "
        "(401: Request header error: there is no user identity); --token-file names one"
    )
    assert TOKEN not in said.out + said.err


def test_a_token_that_is_renewed_while_a_run_goes_on(
    submit: Submit, server: RunningKfpApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_text("first")
    server.state.token = "first"

    def renew() -> None:
        server.state.token = "second"
        file.write_text("second")

    _between_looks(monkeypatch, renew)
    assert submit("--token-file", str(file)) == 0


def test_a_server_of_several_users(
    submit: Submit, server: RunningKfpApi, capsys: pytest.CaptureFixture
) -> None:
    server.state.namespaces = ("ads",)
    assert submit() == 1
    assert submit("--namespace", "other") == 1
    assert submit("--namespace", "ads") == 0
    (run,) = server.state.runs.values()
    assert server.state.experiments[run.experiment_id].namespace == "ads"
    first, second = capsys.readouterr().err.splitlines()[:2]
    expected = f"adlens: {server.url} has users with namespaces of their own: --namespace says whose"
    assert first == expected
    assert second == (
        f"adlens: {server.url} does not let this token do that "
        "(403: User is not authorized in namespace 'other')"
    )


def test_a_server_that_is_away_for_a_while(
    submit: Submit, server: RunningKfpApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    _between_looks(monkeypatch, lambda: server.state.faults.extend([503, 500, 429]))
    assert submit() == 0
    assert server.state.faults == []


def test_a_server_that_stays_away(
    submit: Submit, server: RunningKfpApi, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(submit_follow.follow, "__defaults__", (None, 0.0))
    _between_looks(monkeypatch, lambda: server.state.faults.append(503))
    assert submit() == 1
    (run_id,) = server.state.runs
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"adlens: {server.url} refused the request (503: the server is having a bad time); "
        f"`adlens submit --endpoint {server.url} --follow {run_id}` follows it again"
    )


def test_a_run_that_takes_too_long(
    submit: Submit, server: RunningKfpApi, capsys: pytest.CaptureFixture
) -> None:
    server.state.stuck = True
    assert submit("--timeout", "0.05") == 1
    (run_id,) = server.state.runs
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"adlens: run {run_id} has not ended within 0.05 s; it goes on; "
        f"`adlens submit --endpoint {server.url} --follow {run_id}` follows it again"
    )


def test_an_interrupt_leaves_the_run_alone(
    submit: Submit,
    server: RunningKfpApi,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    _between_looks(monkeypatch, interrupt)
    assert submit() == 130
    (run_id,) = server.state.runs
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"adlens: interrupted; run {run_id} goes on; "
        f"`adlens submit --endpoint {server.url} --follow {run_id}` follows it again"
    )


def test_an_interrupt_before_the_run_says_what_may_be_there(
    submit: Submit,
    server: RunningKfpApi,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(submit_server.SubmitServer, "start", interrupt)
    assert submit("--run-name", "night") == 130
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"adlens: interrupted; {server.url} may have the pipeline and a run 'night'"
    )


def test_a_run_that_nobody_knows(server: RunningKfpApi, capsys: pytest.CaptureFixture) -> None:
    assert main(["submit", "--endpoint", server.url, "--follow", "r1"]) == 1
    assert "refused the request (404: run r1 not found)" in capsys.readouterr().err


def test_nobody_listens(package: Path, capsys: pytest.CaptureFixture) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        flags = ["--pipeline", str(package), "--param", "logs=x"]
        assert main(["submit", "--endpoint", url, *flags]) == 1
    line = f"adlens: {url} cannot be reached: Failed to establish a new connection: .*Connection refused\n"
    assert re.fullmatch(line, capsys.readouterr().err)


def test_a_server_that_never_answers(
    package: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(submit_server, "REQUEST_SECONDS", (10, 1))
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert main(["submit", "--endpoint", url, "--follow", "r1"]) == 1
    assert capsys.readouterr().err == f"adlens: {url} cannot be reached: Read timed out. (read timeout=1)\n"


def test_a_server_with_a_certificate_of_its_own(
    package: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    certificate = make_certificate(tmp_path)
    flags = ["--pipeline", str(package), "--param", "logs=x", "--every", "0.01"]
    with RunningKfpApi(KfpApi(), certificate) as server:
        assert main(["submit", "--endpoint", server.url, *flags]) == 1
        assert server.state.requests == []
        reason = "SSLError .*CERTIFICATE_VERIFY_FAILED.*; --ca-cert names what signs it"
        expected = f"adlens: {server.url} cannot be reached: {reason}\n"
        assert re.fullmatch(expected, capsys.readouterr().err)
        assert main(["submit", "--endpoint", server.url, *flags, "--ca-cert", str(certificate[0])]) == 0


class _LoginPage(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<html>Who are you?</html>")

    def log_message(self, *_: object) -> None: ...


def test_something_else_answers(capsys: pytest.CaptureFixture) -> None:
    page = HTTPServer(("127.0.0.1", 0), _LoginPage)
    threading.Thread(target=page.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{page.server_port}"
    assert main(["submit", "--endpoint", url, "--follow", "r1"]) == 1
    assert capsys.readouterr().err == (
        f"adlens: {url} is no server of Kubeflow Pipelines, or wants a login first\n"
    )
    assert main(["submit", "--endpoint", url.replace("http", "https"), "--follow", "r1"]) == 1
    assert "cannot be reached: SSLError" in capsys.readouterr().err
    page.shutdown()


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (
            ["--param", "logz=x", "--param", "logs=x"],
            "{package} has no parameter logz; did you mean logs?",
        ),
        (["--param", "epochs=3"], "{package} needs --param logs=…"),
        (["--param", "logs=x", "--param", "epochs=3.5"], "--param epochs must be a whole number, got '3.5'"),
        (["--param", "logs"], "--param expects name=value, got 'logs'"),
        (["--timeout", "0"], "--timeout must be a number of seconds above 0, got 0"),
    ],
)
def test_mistakes_send_nothing(
    flags: list[str], line: str, server: RunningKfpApi, package: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(["submit", "--endpoint", server.url, "--pipeline", str(package), *flags]) == 1
    assert capsys.readouterr().err == f"adlens: {line.format(package=package)}\n"
    assert server.state.requests == []


def test_a_pipeline_with_settings_of_the_platform(
    submit: Submit, server: RunningKfpApi, package: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    both = tmp_path / "both.yaml"
    platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {}}}}}
    both.write_text(f"{package.read_text()}---\n{yaml.safe_dump(platform)}")
    flags = ["--pipeline", str(both), "--param", "logs=x", "--every", "0.01"]
    assert main(["submit", "--endpoint", server.url, *flags]) == 0
    assert capsys.readouterr().err.count("7.5 s") == 2


def test_the_compiled_pipeline_of_adlens(
    server: RunningKfpApi, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "adlens.yaml"
    image = f"registry.example/adlens@sha256:{'0' * 64}"
    places = ["--root", "/data/root", "--volume-claim", "data", "--mount-path", "/data"]
    assert main(["compile", "--preset", "tiny", "--image", image, *places, "--out", str(out)]) == 0
    tasks = yaml.safe_load(out.read_text().split("\n---\n")[0])["root"]["dag"]["tasks"]
    flags = ["--pipeline", str(out), "--param", "logs=/data/logs", "--every", "0.01"]
    assert main(["submit", "--endpoint", server.url, *flags, "--param", "preset=demo"]) == 0
    (run,) = server.state.runs.values()
    assert run.runtime_config.parameters == {"logs": "/data/logs", "preset": "demo"}
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("[")]
    started = [line.split()[-2] for line in lines if line.endswith("…")]
    labels = {task["taskInfo"]["name"] for task in tasks.values()}
    assert sorted(started) == sorted(labels) and started[0] == "LogIngest"
    assert sum(line.endswith(" 7.5 s") for line in lines) == len(tasks)
