"""What is tried inside the image, by its own Python and as its own user. It is mounted there and knows no sources.

    python probes.py distributions
    python probes.py serve ROOT
    python probes.py worker-pool LOGS ROOT

Prints one line of JSON.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from importlib import metadata

READY_SECONDS = 600.0
GATEWAY, POOL_PORT, JOB_PORT = "http://127.0.0.1:8080", 50_000, 50_001


def distributions() -> dict[str, object]:
    """What is installed, and the requirements of it that are not met: by name of the package, in words."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    installed = {canonicalize_name(each.metadata["Name"]): each.version for each in metadata.distributions()}
    unmet = {}
    for each in metadata.distributions():
        for requirement in map(Requirement, each.requires or ()):
            if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
                continue
            version = installed.get(canonicalize_name(requirement.name))
            if version is None or not requirement.specifier.contains(version, prereleases=True):
                unmet[canonicalize_name(requirement.name)] = (
                    f"{each.metadata['Name']}: {requirement}, found {version}"
                )
    return {"installed": installed, "unmet": unmet}


def serve(root: str) -> dict[str, object]:
    """All online parts over what a run pushed: seconds until they are ready, and an answer."""
    started = time.monotonic()
    with _process("adlens", "serve", "--root", root):
        _wait(lambda: _get(f"{GATEWAY}/ready"))
        seconds = time.monotonic() - started
        models = {
            model: _get(f"http://127.0.0.1:8501/v1/models/{model}")["model_version_status"][0]["state"]
            for model in ("ctr", "recall", "image_encoder", "text_encoder")
        }
        return {"ready_seconds": round(seconds, 1), "models": models}


def worker_pool(logs: str, root: str) -> dict[str, object]:
    """Ingests through a job service and a pool of workers, each a process of its own."""
    with (
        _process(
            "python", "-m", "apache_beam.runners.portability.local_job_service_main", f"--port={JOB_PORT}"
        ),
        _process(
            "python", "-m", "apache_beam.runners.worker.worker_pool_main", f"--service_port={POOL_PORT}"
        ),
    ):
        flags = [
            "--runner=PortableRunner",
            f"--job_endpoint=localhost:{JOB_PORT}",
            "--environment_type=EXTERNAL",
            f"--environment_config=localhost:{POOL_PORT}",
        ]
        return {"splits": _ingest(logs, root, flags)}


def _ingest(logs: str, root: str, flags: list[str]) -> dict[str, int]:
    from pipeline.pipeline import create_ingest_pipeline
    from pipeline.presets import preset
    from pipeline.run import execute

    os.makedirs(root)
    execute(create_ingest_pipeline(logs, root, preset("tiny"), "", flags), "local", sys.stderr)
    (found,) = [
        os.path.join(folder, "counts.json")
        for folder, _, files in os.walk(root)
        if "counts.json" in files and "rejects" in folder
    ]
    with open(found, encoding="utf-8") as file:
        return json.load(file)["splits"]


@contextlib.contextmanager
def _process(*command: str) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=sys.stderr)
    try:
        yield
    finally:
        process.terminate()
        process.wait(120)


def _wait(answer: Callable[[], object]) -> None:
    end = time.monotonic() + READY_SECONDS
    while True:
        try:
            answer()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)


def _get(url: str) -> dict:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.loads(answer.read())


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["distributions"]:
            found = distributions()
        case ["serve", root]:
            found = serve(root)
        case ["worker-pool", logs, root]:
            found = worker_pool(logs, root)
        case words:
            sys.exit(f"probes: expected one of those above, got {words}")
    print(json.dumps(found))
