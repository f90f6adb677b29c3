"""What `make try-serving` takes from the README, and what it refuses."""

import json
import socket
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
sys.path.append(str(REPOSITORY))

from scripts import try_serving
from scripts.try_serving import Problem, check_ports, serving_blocks

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def test_the_readmes_blocks() -> None:
    start, requests, client = serving_blocks(README)
    assert start == ".venv/bin/adlens serve --root runs/demo/root\n"
    lines = [line for line in README.splitlines() if line.startswith("curl -s http://127.0.0.1")]
    assert lines and all(line in requests for line in lines)
    assert client in README and client.startswith("import grpc")
    with pytest.raises(Problem, match="expected `## Serving` with two blocks of commands"):
        serving_blocks(README.replace("```python", "```"))


def test_a_port_in_use_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Problem, match=f"expected port {port} to be free"):
            check_ports([port])
    check_ports([port])


SIMILAR = {"items": [{"similarity": 0.9}, {"similarity": 0.8}, {"similarity": 0.7}]}


@pytest.mark.parametrize(
    ("status", "asked", "answer", "message"),
    [
        (
            503,
            "POST http://127.0.0.1:8080/v1/similar",
            SIMILAR,
            "expected 200 and a sensible answer, got 503",
        ),
        (200, "POST http://127.0.0.1:8080/v1/similar", {"items": []}, "a sensible answer, got 200"),
        (200, "POST http://127.0.0.1:8080/v1/other", {}, "has no check of"),
        (200, "POST http://127.0.0.1:8080/v1/similar", SIMILAR, "expected it to ask for .*/v1/recommend"),
    ],
)
def test_an_answer_that_is_not_sensible(status: int, asked: str, answer: dict, message: str) -> None:
    with pytest.raises(Problem, match=message):
        try_serving._check_answers(f"{json.dumps(answer)}\n#{status} {asked}\n")


def test_an_unfinished_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="found no serving/release.json"):
        try_serving.try_serving(tmp_path)
