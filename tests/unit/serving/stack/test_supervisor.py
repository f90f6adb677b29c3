"""The supervisor over real processes that stand in for the parts."""

import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from serving.stack.part import Part
from serving.stack.part_log import PartLog
from serving.stack.part_process import PartProcess
from serving.stack.supervisor import Supervisor

SLEEPER = "import time; time.sleep(600)"


def part(name: str, program: str, *arguments: object, ready_url: str | None = None) -> Part:
    command = (sys.executable, "-S", "-c", textwrap.dedent(program), *map(str, arguments))
    return Part(name, command, ready_url)


def eventually(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Whether it runs; one that is dead and not yet waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] != "Z"
    except FileNotFoundError:
        return False


def supervise(supervisor: Supervisor, until: Callable[[], object]) -> None:
    """Runs it in this thread until something holds."""
    stop = threading.Event()

    def wait() -> None:
        try:
            eventually(until)
        finally:
            stop.set()

    waiter = threading.Thread(target=wait)
    waiter.start()
    supervisor.run(stop)
    waiter.join()


@pytest.fixture
def log(tmp_path: Path) -> PartLog:
    return PartLog(tmp_path / "part.log", 1 << 20)


def test_a_part_that_dies_is_started_again_and_the_log_says_why(tmp_path: Path) -> None:
    said: list[str] = []
    pids = tmp_path / "pids"
    program = """
        import os, sys, time
        with open(sys.argv[1], "a") as file:
            print(os.getpid(), file=file)
        print("no such model", flush=True)
        if len(open(sys.argv[1]).readlines()) < 3:
            sys.exit(7)
        time.sleep(600)
    """
    parts = [part("fails", program, pids), part("stays", SLEEPER)]
    log = tmp_path / "fails.log"

    def is_over() -> bool:
        return any("stays is ready" in line for line in said) and log.read_text() == "no such model\n" * 3

    supervise(Supervisor(parts, tmp_path, said.append), is_over)
    ends = [line for line in said if "ended" in line]
    # Twice as long the second time; a part that nothing is asked of is ready while it runs.
    assert ends == [
        f"fails ended with 7, starts again in {delay} s (log: {log}); it said: no such model"
        for delay in ("0.25", "0.5")
    ]
    (ready,) = [line for line in said if line.startswith("stays ")]
    assert re.fullmatch(r"stays is ready after \d+ s", ready)
    assert not any(is_alive(pid) for pid in read(pids))


def read(pids: Path) -> list[int]:
    return [int(line) for line in pids.read_text().split()] if pids.exists() else []


def test_a_killed_part_is_told_of_as_such(log: PartLog) -> None:
    process = PartProcess(part("p", SLEEPER), log, min_backoff_seconds=0.01)
    process.start()
    killed = process.pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    told: list[str | None] = []

    def runs_again() -> bool:
        told.append(process.check())
        return process.pid not in (None, killed)

    eventually(runs_again)
    (line,) = [line for line in told if line and "ready" not in line]
    assert line == f"p was killed by SIGKILL, starts again in 0.01 s (log: {log.path})"
    process.wait(0)


def test_waits_double_up_to_the_longest_and_begin_anew_after_a_stable_while(
    log: PartLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("serving.stack.part_process.time.monotonic", lambda: now[0])
    process = PartProcess(part("p", "pass"), log, 1.0, 5.0, 60.0)

    def run_for(seconds: float) -> str:
        process.start()
        assert process._process is not None
        process._process.wait()
        now[0] += seconds
        told = process.check()
        assert told is not None
        # Not started again before its time.
        assert process.check() is None and process.pid is None
        return told.partition("starts again in ")[2].partition(" s")[0]

    assert [run_for(1) for _ in range(5)] == ["1", "2", "4", "5", "5"]
    assert [run_for(61), run_for(1)] == ["1", "2"]
    now[0] += 2.0
    assert process.check() is None and process.pid is not None
    process.wait(5)


def test_a_part_is_ready_when_it_answers_and_all_of_them_once(tmp_path: Path) -> None:
    server = """
        import sys, time
        from http.server import BaseHTTPRequestHandler, HTTPServer

        started = time.monotonic()
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200 if time.monotonic() - started > 1 else 503)
                self.end_headers()
            def log_message(self, *_): pass
        HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    said: list[str] = []
    ready: list[float] = []
    parts = [
        part("other", SLEEPER),
        part("server", server, port, ready_url=f"http://127.0.0.1:{port}/ready"),
    ]
    started = time.monotonic()
    supervisor = Supervisor(parts, tmp_path, said.append, lambda: ready.append(time.monotonic()))
    supervise(supervisor, lambda: ready)
    assert len(ready) == 1 and ready[0] - started > 1
    # The other one did not wait for it.
    assert [line.split()[0] for line in said] == ["other", "server"]


def test_a_part_is_ready_when_its_file_is_there_and_an_old_one_does_not_count(log: PartLog) -> None:
    ready = log.path.with_name("ready")
    ready.write_text("of yesterday")
    go = log.path.with_name("go")
    program = """
        import pathlib, sys, time
        ready, go = map(pathlib.Path, sys.argv[1:])
        while not go.exists():
            time.sleep(0.02)
        ready.touch()
        time.sleep(600)
    """
    made = part("p", program, ready, go)
    process = PartProcess(Part(made.name, made.command, ready_file=ready), log)
    process.start()
    assert not ready.exists() and process.check() is None and not process.is_ready
    go.touch()
    eventually(process.check)
    assert process.is_ready and ready.exists()
    process.wait(0)


def test_parts_end_in_order_and_with_all_that_they_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = """
        import os, signal, subprocess, sys, time
        name, folder = sys.argv[1:]
        child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
        def end(*_):
            time.sleep(0.2)
            with open(folder + "/ended", "a") as file:
                print(name, file=file)
            sys.exit(0)
        if name == "stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        else:
            signal.signal(signal.SIGTERM, end)
        with open(folder + "/" + name, "w") as file:
            print(os.getpid(), child.pid, file=file)
        time.sleep(600)
    """
    names = ["first", "second", "stubborn"]
    parts = [part(name, program, name, tmp_path) for name in names]
    running: list[int] = []

    def is_up() -> bool:
        files = [tmp_path / name for name in names]
        running[:] = [int(pid) for file in files if file.exists() for pid in file.read_text().split()]
        return len(running) == 6

    waits: list[float] = []
    wait = PartProcess.wait

    def note(process: PartProcess, seconds: float) -> None:
        waits.append(seconds)
        wait(process, seconds)

    monkeypatch.setattr(PartProcess, "wait", note)
    supervisor = Supervisor(parts, tmp_path, lambda _: None, stop_seconds=5.0)
    supervise(supervisor, is_up)
    assert (tmp_path / "ended").read_text().split() == ["first", "second"]
    # What one takes is not taken from the others.
    assert waits == [5.0] * 3
    # What nobody waits for takes a moment to die.
    eventually(lambda: not any(is_alive(pid) for pid in running))


def test_parts_die_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    program = f"""
        import threading
        from pathlib import Path
        from serving.stack.part import Part
        from serving.stack.supervisor import Supervisor

        import sys
        write = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"
        parts = [Part(n, (sys.executable, "-S", "-c", write, "{tmp_path}/" + n)) for n in ("a", "b")]
        Supervisor(parts, Path("{tmp_path}"), print).run(threading.Event())
    """
    supervisor = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)])
    files = [tmp_path / "a", tmp_path / "b"]
    eventually(lambda: all(file.exists() and file.read_text() for file in files), seconds=60)
    pids = [int(file.read_text()) for file in files]
    assert all(map(is_alive, pids))
    supervisor.kill()
    supervisor.wait()
    eventually(lambda: not any(map(is_alive, pids)))


def test_what_is_looked_after_may_fail_for_a_while(tmp_path: Path) -> None:
    said: list[str] = []
    looks: list[int] = []

    def look() -> None:
        looks.append(1)
        if len(looks) < 4:
            raise OSError("no room")

    supervise(Supervisor([part("p", SLEEPER)], tmp_path, said.append, on_look=look), lambda: len(looks) >= 5)
    assert said.count("no room") == 1


def test_a_part_that_cannot_be_started_is_tried_again(tmp_path: Path) -> None:
    said: list[str] = []
    command = tmp_path / "command"
    parts = [Part("late", (str(command),)), part("stays", SLEEPER)]

    def is_ready() -> bool:
        # As after a fork that failed: the second time there is what was missing.
        if len(said) >= 2 and not command.exists():
            made = tmp_path / "made"
            made.write_text(f"#!{sys.executable} -S\n{SLEEPER}\n")
            made.chmod(0o700)
            made.rename(command)
        return any("late is ready" in line for line in said)

    supervise(Supervisor(parts, tmp_path, said.append), is_ready)
    first = next(line for line in said if line.startswith("late "))
    assert first == (
        f"late cannot be started: [Errno 2] No such file or directory: '{command}';"
        f" starts again in 0.25 s (log: {tmp_path}/late.log)"
    )
    assert any(line.startswith("stays is ready") for line in said)


def test_a_log_without_room_ends_nothing(tmp_path: Path) -> None:
    said: list[str] = []
    (tmp_path / "shut.log").mkdir()
    parts = [part("shut", SLEEPER), part("stays", SLEEPER)]
    supervise(
        Supervisor(parts, tmp_path, said.append),
        lambda: len([line for line in said if line.startswith("shut cannot be started")]) >= 2,
    )
    assert any(line.startswith("stays is ready") for line in said)


def test_a_log_that_cannot_be_cut_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    cuts: list[int] = []

    def fail(_: PartLog) -> None:
        cuts.append(1)
        raise OSError("the disk is gone")

    monkeypatch.setattr(PartLog, "trim", fail)
    supervise(Supervisor([part("p", SLEEPER)], tmp_path, said.append), lambda: len(cuts) >= 3)
    assert said.count("the disk is gone") == 1


@pytest.mark.parametrize(
    "answer",
    [b"nonsense\r\n\r\n", b"HTTP/1.1 ", b"", b"HTTP/1.1 200 OK\r\n" + b"x" * 70_000],
    ids=["no HTTP", "cut in its first line", "none", "endless header"],
)
def test_an_answer_that_is_none_is_not_ready(log: PartLog, answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/ready"
        process = PartProcess(part("p", SLEEPER, ready_url=url), log)
        process.start()
        try:
            asked = threading.Thread(target=_answer_once, args=(server, answer))
            asked.start()
            assert process.check() is None and not process.is_ready
            asked.join()
        finally:
            process.wait(0)


def _answer_once(server: socket.socket, answer: bytes) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(answer)


def test_a_signal_without_a_name_is_told_by_its_number(log: PartLog) -> None:
    process = PartProcess(part("p", SLEEPER), log)
    process.start()
    assert process.pid is not None
    os.kill(process.pid, signal.SIGRTMIN + 1)
    told: list[str] = []

    def is_over() -> bool:
        told.append(process.check() or "")
        return process.pid is None

    eventually(is_over)
    assert f"was killed by signal {signal.SIGRTMIN + 1}, starts again in" in told[-1]


def test_a_long_log_is_cut_and_its_writer_goes_on(log: PartLog) -> None:
    log.max_bytes = 100
    assert log.last_line() == ""
    log.trim()
    with log.open() as file:
        file.write(b"x" * 90 + b"\nlast of the old\n")
        log.trim()
        assert log.path.read_bytes() == b""
        file.write(b"first of the new\n\n")
        log.trim()
    assert log.path.read_bytes() == b"first of the new\n\n"
    assert log.path.with_name("part.log.1").read_bytes() == b"x" * 90 + b"\nlast of the old\n"
    assert log.last_line() == "first of the new"
