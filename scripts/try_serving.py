"""Tries README.md's section on serving, word for word, over what `make demo` has pushed.

    python -m scripts.try_serving [--root runs/demo/root]

`adlens serve` is started over a copy of what the run has pushed, on the ports that the README names; it has to be ready
within a minute. Then the README's own blocks are run: the lines of curl by bash, and the client of gRPC by Python. Each
has to answer, and with something sensible; the new item has to be found and ranked. Prints one line of JSON with the
seconds; where something is not as the README says, exits with 1 and says what.
"""

import argparse
import contextlib
import json
import math
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

README = Path(__file__).resolve().parent.parent / "README.md"
GATEWAY = "http://127.0.0.1:8080"
# The gateway, the model server's gRPC and REST, and the encoder service's status.
PORTS = (8080, 8500, 8501, 8502)
NEW_ITEM, ITS_PICTURE_IS_OF = "new_lamp", "i0001518"
READY_SECONDS, ITEM_SECONDS, COMMAND_SECONDS = 60.0, 30.0, 60.0
# After each answer curl writes its status and what was asked.
_CURL_SETTINGS = r'write-out = "\n#%{http_code} %{method} %{url_effective}\n"'
_ANSWER_END = re.compile(r"\n#(\d{3}) ([A-Z]+) http://127\.0\.0\.1:\d+(\S+)\n")

Check = Callable[[Any], bool]


class Problem(Exception):
    """Something that is not as the README says."""


def main() -> None:
    """Tries all of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path("runs/demo/root"), help="a finished demo run's")
    root = parser.parse_args().root
    try:
        print(json.dumps(try_serving(root)), flush=True)
    except Problem as problem:
        sys.exit(f"try_serving: {problem}")


def try_serving(root: Path) -> dict[str, float]:
    """Starts the stack, runs the README's blocks, and stops it.

    Args:
        root: of a finished demo run; it is not changed.
    Returns:
        Seconds: until all was ready, from the new item's PUT until it was found and ranked, and altogether.
    Raises:
        Problem: the first thing that is not as the README says.
    """
    start, requests, client = serving_blocks(README.read_text(encoding="utf-8"))
    if not (root / "serving" / "release.json").is_file():
        raise Problem(
            f"{root}: expected a finished run, as `make demo` makes it, found no serving/release.json"
        )
    check_ports(PORTS)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="try_serving_") as folder:
        copy = Path(folder)
        shutil.copytree(root / "serving", copy / "serving")
        with _served(start, copy) as start_seconds:
            if _ask("GET", "/")[0] != 200:
                raise Problem(f"the inspector page: expected 200 of {GATEWAY}/")
            _check_answers(_run(["bash", "-c", requests], copy))
            item_seconds = _wait_for_item()
            _check_client(_run([sys.executable, "-c", client], copy))
    return {
        "start_seconds": round(start_seconds, 1),
        "item_seconds": round(item_seconds, 1),
        "seconds": round(time.monotonic() - started, 1),
    }


def serving_blocks(readme: str) -> tuple[str, str, str]:
    """The section's three blocks of code: what starts the stack, what asks it by curl, and the client of gRPC.

    Raises:
        Problem: the section has others.
    """
    section = re.search(r"^## Serving\n(.*?)^## ", readme, re.MULTILINE | re.DOTALL)
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", section[1] if section else "", re.MULTILINE | re.DOTALL)
    if [language for language, _ in blocks] != ["", "", "python"]:
        raise Problem("README.md: expected `## Serving` with two blocks of commands and one of Python")
    start, requests, client = (text for _, text in blocks)
    return start, requests, client


def check_ports(ports: Sequence[int]) -> None:
    """Raises Problem where something listens already: it would answer in the stack's place."""
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise Problem(
                    f"expected port {port} to be free, as the README's commands need it: {error}"
                ) from error


@contextlib.contextmanager
def _served(command: str, root: Path) -> Iterator[float]:
    """The stack, for a while, and the seconds until it was ready; stopped in order."""
    *words, _ = shlex.split(command)
    started = time.monotonic()
    process = subprocess.Popen([*words, str(root)], stdout=subprocess.DEVNULL)
    try:
        while not _is_ready():
            if process.poll() is not None:
                raise Problem(f"`{shlex.join(words)}` ended with {process.returncode} before it was ready")
            if time.monotonic() - started > READY_SECONDS:
                raise Problem(f"not ready within {READY_SECONDS:.0f} s")
            time.sleep(0.1)
        yield time.monotonic() - started
    except (Problem, OSError):
        _show_logs(root / "online" / "logs")
        raise
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        finally:
            # Where it did not end in time; its parts end with it.
            process.kill()
    if process.returncode != 0:
        raise Problem(f"expected the stack to stop with 0, it did with {process.returncode}")


def _is_ready() -> bool:
    """Whether recommendations and every search are answered."""
    try:
        if _ask("GET", "/ready")[0] != 200:
            return False
        status = json.loads(_ask("GET", "/v1/status")[1])
    except OSError:
        return False
    return bool(status["recallable"] and all(status["searchable"].values()))


def _ask(method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, bytes]:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{GATEWAY}{path}", data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def _run(command: Sequence[str], curl_home: Path) -> str:
    """What a command prints."""
    (curl_home / ".curlrc").write_text(_CURL_SETTINGS, encoding="utf-8")
    env = ["env", f"CURL_HOME={curl_home}", "TF_CPP_MIN_LOG_LEVEL=2"]
    try:
        done = subprocess.run(
            [*env, *command], check=False, stdout=subprocess.PIPE, text=True, timeout=COMMAND_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise Problem(f"no end of {command[0]} within {COMMAND_SECONDS:.0f} s") from error
    if done.returncode != 0:
        raise Problem(f"{command[0]} ended with {done.returncode}: {done.stdout}")
    return done.stdout


def _check_answers(output: str) -> None:
    """Raises Problem unless each answer of the block of curl is sensible, and of each kind there is one."""
    *pieces, _ = _ANSWER_END.split(output)
    missing = set(_CHECKS)
    for body, status, method, path in zip(*(pieces[place::4] for place in range(4)), strict=True):
        asked = f"{method} {path}"
        if asked not in _CHECKS:
            raise Problem(f"{asked}: README.md asks for what this script has no check of")
        expected = "202" if method == "PUT" else "200"
        if status != expected or not _CHECKS[asked](json.loads(body) if body else None):
            raise Problem(
                f"{asked}: expected {expected} and a sensible answer, got {status}: {body.strip()[:1_000]}"
            )
        missing.discard(asked)
    if missing:
        raise Problem(f"README.md: expected it to ask for {', '.join(sorted(missing))}")


def _are_ads(answer: Any) -> bool:
    ads = answer["ads"]
    scores = [ad["score"] for ad in ads]
    ordered = len(ads) == 3 and scores == sorted(scores, reverse=True)
    return ordered and not answer["degraded"] and all(0 < ad["score"] < 1 and ad["why"] for ad in ads)


def _are_similar(answer: Any) -> bool:
    found = [each["similarity"] for each in answer["items"]]
    return len(found) == 3 and found == sorted(found, reverse=True) and 0.2 < found[0] < 1.001


def _is_embedding(answer: Any) -> bool:
    (vector,) = answer["predictions"]
    return math.isclose(math.hypot(*vector), 1, rel_tol=1e-3)


_CHECKS: dict[str, Check] = {
    "POST /v1/recommend": _are_ads,
    "POST /v1/similar": _are_similar,
    # The picture itself goes to a file; the item is introduced with it, and refused if it is none.
    f"GET /v1/items/{ITS_PICTURE_IS_OF}/image": lambda answer: answer is None,
    f"PUT /v1/items/{NEW_ITEM}": lambda answer: answer["status"] == "queued",
    f"GET /v1/items/{NEW_ITEM}": lambda answer: answer["item_id"] == NEW_ITEM and answer["has_image"],
    "POST /v1/models/text_encoder:predict": _is_embedding,
}


def _wait_for_item() -> float:
    """The seconds until the new item is ranked, and found beside the one whose picture it has."""
    started = time.monotonic()
    user = json.loads(_ask("GET", "/v1/sample-users")[1])["sample_users"][0]
    while time.monotonic() - started < ITEM_SECONDS:
        similar = json.loads(_ask("POST", "/v1/similar", {"item_id": ITS_PICTURE_IS_OF, "k": 3})[1])
        ranked = json.loads(_ask("POST", "/v1/recommend", {**user, "k": 1, "also_rank": [NEW_ITEM]})[1])
        is_found = NEW_ITEM in [each["item_id"] for each in similar["items"]]
        scores = [ad["score"] for ad in ranked["ads"] if ad["item_id"] == NEW_ITEM]
        if is_found and scores and scores[0] is not None:
            return time.monotonic() - started
        time.sleep(0.1)
    raise Problem(f"{NEW_ITEM}: not found and ranked within {ITEM_SECONDS:.0f} s: {similar}, {ranked}")


def _check_client(output: str) -> None:
    """Raises Problem unless the client of gRPC printed a version and the shape of one embedding."""
    status, body = _ask("GET", "/v1/status")
    version = json.loads(body)["versions"]["text_encoder"] if status == 200 else None
    match = re.fullmatch(r"(\d+) \(1, (\d+)\)\n", output)
    if match is None or int(match[2]) < 2 or match[1] != version:
        raise Problem(f"the client of gRPC: expected version {version} and a shape (1, n), got {output!r}")


def _show_logs(logs: Path) -> None:
    for log in sorted(logs.glob("*.log")):
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
        print(f"--- {log.name}", *lines, sep="\n", file=sys.stderr)


if __name__ == "__main__":
    main()
