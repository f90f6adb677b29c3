"""`adlens alerts` and what `adlens run --alert` ends with."""

import http.server
import json
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import pytest

from pipeline.cli import main
from pipeline.monitoring.cli import alert_status

REFUSED = {"kind": "refused", "subject": "ctr", "text": "gauc is 0.4"}
DRIFT = {"kind": "drift", "subject": "city", "text": "it moved"}
RECORD = {
    "date": "2026-04-01",
    "status": "refused",
    "model": "id",
    "candidate": {},
    "last_blessed": None,
    "baseline": None,
    "stages": [],
    "coverage": {},
    "alerts": [DRIFT],
}


@pytest.fixture
def root(tmp_path: Path) -> str:
    (tmp_path / "summary.json").write_text(json.dumps({"alerts": [REFUSED, DRIFT]}))
    (tmp_path / "days").mkdir()
    (tmp_path / "days" / "2026-04-01.json").write_text(json.dumps(RECORD))
    (tmp_path / "days" / "2026-04-02.json").write_text(
        json.dumps(RECORD | {"date": "2026-04-02", "alerts": []})
    )
    return str(tmp_path)


def test_alerts_of_the_last_run_end_with_three(root: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["alerts", "--root", root]) == 3
    assert capsys.readouterr().out == "refused ctr: gauc is 0.4\ndrift city: it moved\n"


def test_alerts_of_a_day(root: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["alerts", "--root", root, "--date", "2026-04-01"]) == 3
    assert capsys.readouterr().out == "drift city: it moved\n"
    assert main(["alerts", "--root", root, "--date", "2026-04-02"]) == 0
    assert capsys.readouterr().out == ""


def test_kinds_can_be_chosen(root: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["alerts", "--root", root, "--only", "refused"]) == 3
    assert capsys.readouterr().out == "refused ctr: gauc is 0.4\n"
    assert main(["alerts", "--root", root, "--only", "coverage", "rejects"]) == 0


def test_a_run_that_is_too_old_is_an_alert(root: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(root, "days", "2026-04-02.json")
    arguments = ["alerts", "--root", root, "--date", "2026-04-02", "--max-age-hours", "26"]
    assert main(arguments) == 0
    written = path.stat().st_mtime - 30 * 3600
    os.utime(path, (written, written))
    assert main(arguments) == 3
    assert capsys.readouterr().out == "stale run: the last run ended 30.0 hours ago; expected at most 26\n"


class Alertmanager:
    """Takes alerts as Alertmanager's API does: `POST /api/v2/alerts`, a JSON list."""

    def __init__(self, status: int = 200) -> None:
        self.taken: list[dict] = []
        taken = self.taken

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if (
                    self.path == "/prefix/api/v2/alerts"
                    and self.headers["Content-Type"] == "application/json"
                ):
                    taken.extend(body)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(b"bad start time")

            def log_message(self, format: str, *args: object) -> None:
                """Says nothing on stderr, which the tests look at."""

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/prefix/"

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.server.shutdown()
        self.server.server_close()


def test_alertmanager_is_given_them(root: str) -> None:
    arguments = ["alerts", "--root", root, "--resolve-hours", "48"]
    with Alertmanager() as manager:
        assert main([*arguments, "--alertmanager", manager.url, "--date", "2026-04-02"]) == 0
        assert manager.taken == []
        assert main([*arguments, "--alertmanager", manager.url, "--date", "2026-04-01"]) == 3
    (alert,) = manager.taken
    assert alert["labels"] == {
        "alertname": "adlens_drift",
        "subject": "city",
        "root": root,
        "date": "2026-04-01",
    }
    assert alert["annotations"] == {"summary": "it moved"}
    starts, ends = (datetime.fromisoformat(alert[name]) for name in ("startsAt", "endsAt"))
    assert ends - starts == timedelta(hours=48)
    assert abs(datetime.now(UTC) - starts) < timedelta(minutes=1)


def test_an_alertmanager_that_refuses_or_is_not_there_is_an_error(
    root: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with Alertmanager(400) as manager:
        assert main(["alerts", "--root", root, "--alertmanager", manager.url]) == 1
        assert "answered 400: 'bad start time'" in capsys.readouterr().err
    assert main(["alerts", "--root", root, "--alertmanager", manager.url]) == 1
    assert "could not reach it" in capsys.readouterr().err
    assert main(["alerts", "--root", root, "--alertmanager", "file:///etc/passwd"]) == 1
    assert "--alertmanager must be http://HOST:PORT" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "content", "said"),
    [
        ([], None, "expected a finished run, found no"),
        ([], "{}", "knows no alerts"),
        ([], '{"alerts": ["odd"]}', "expected an alert"),
        ([], "[", "expected JSON"),
        (["--date", "2026-05-01"], "{}", "expected that day, found no"),
        (["--date", "../../etc"], "{}", "--date must be a day"),
    ],
)
def test_what_cannot_be_read_ends_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], content: str | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "summary.json").write_text(content)
    assert main(["alerts", "--root", str(tmp_path), *arguments]) == 1
    errors = capsys.readouterr().err
    assert said in errors and errors.count("\n") == 1


def test_it_needs_no_tensorflow(root: str) -> None:
    code = (
        "import sys; from pipeline.cli import main; status = main(sys.argv[1:]);"
        "heavy = {'tensorflow', 'tfx', 'apache_beam', 'keras'} & set(sys.modules); print(heavy); sys.exit(status)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, "alerts", "--root", root], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (3, "")
    assert ran.stdout.endswith("set()\n")


def test_a_run_ends_with_three_only_where_it_was_asked_to(capsys: pytest.CaptureFixture[str]) -> None:
    found = [REFUSED, DRIFT]
    assert alert_status(found, None) == 0
    assert alert_status(found, ["coverage"]) == 0
    assert capsys.readouterr().err == ""
    assert alert_status(found, ["drift"]) == 3
    assert capsys.readouterr().err == "adlens: alert: drift city: it moved\n"
    assert alert_status(found, []) == 3
    assert capsys.readouterr().err.count("\n") == 2
    assert alert_status([], []) == 0
