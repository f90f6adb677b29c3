"""Tries the image in all its parts, as a container would run them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from scripts.replay_image.builder import Image
from scripts.replay_image.inspect_image import compare_with_lock, find_problems, measure
from scripts.replay_image.jail import Jail
from transforms.input_error import InputError

_PROBES = "/run/replay/probes.py"


def try_image(image: Image, lock: str, overrides: str, volume: Path) -> dict[str, Any]:
    """Looks into the image and runs the tiny preset, the online parts and a Beam worker pool in it.

    Args:
        image: what was built.
        lock: the text of the lock that it was built from.
        overrides: the text of scripts/overrides.txt, which names what the lock leaves out.
        volume: a folder that is made and mounted at /work, as its user's.
    Returns:
        Figures, and under `problems` what is not as it should be.
    Raises:
        InputError: something in it failed.
    """
    problems = list(find_problems(image))
    sizes = measure(image)
    volume.mkdir()
    os.chown(volume, *map(int, image.user.split(":")))
    run = _runner(image, volume)

    found = json.loads(run("distributions", ["python", _PROBES, "distributions"]))
    problems += compare_with_lock(found["installed"], lock)
    problems += [said for name, said in found["unmet"].items() if name not in overrides.split()]
    run("the entry point", [*image.entry_point, *image.command])
    run("simulate", ["adlens", "simulate", "--preset", "tiny", "--out", "/work/logs"])
    started = time.monotonic()
    run("run", ["adlens", "run", "--preset", "tiny", "--logs", "/work/logs", "--root", "/work/root"])
    seconds = round(time.monotonic() - started)
    summary = json.loads((volume / "root/summary.json").read_text(encoding="utf-8"))
    problems += [
        f"{model}: expected a SavedModel below {place}"
        for model, place in summary["pushed"].items()
        if not list((volume / "root" / place).rglob("saved_model.pb"))
    ]
    for command in ("gateway", "model-server", "encoder-service", "publish"):
        run(command, ["adlens", command, "--help"])
    run("the stage of Kubeflow", ["python", "-m", "pipeline.kubeflow.stage", "--help"])
    served = json.loads(run("serve", ["python", _PROBES, "serve", "/work/root"]))
    problems += [f"{name}: {state}" for name, state in served["models"].items() if state != "AVAILABLE"]
    pool = json.loads(
        run("Beam's worker pool", ["python", _PROBES, "worker-pool", "/work/logs", "/work/pool"])
    )
    counts = json.loads(next((volume / "root").rglob("rejects/*/counts.json")).read_text(encoding="utf-8"))
    if pool["splits"] != counts["splits"]:
        problems.append(f"the worker pool found {pool['splits']}, the run {counts['splits']}")
    return {
        "megabytes": sizes,
        "distributions": len(found["installed"]),
        "run_seconds": seconds,
        "ctr": {name: summary["ctr"][name] for name in ("model", "auc", "gauc", "blessed")},
        "pushed": sorted(summary["pushed"]),
        "serve": served,
        "worker_pool": pool,
        "problems": problems,
    }


def _runner(image: Image, volume: Path) -> Callable[[str, Sequence[str]], str]:
    """Runs commands in the image as its own user, on a read-only root, without a network."""
    hosts = volume.with_name("hosts")
    hosts.write_text("127.0.0.1 localhost\n", encoding="utf-8")
    probes = Path(__file__).with_name("probes.py")
    mounts = {"/work": volume, _PROBES: probes, "/etc/hosts": hosts}
    jail = Jail(image.root, image.user, network=False, read_only=True, mounts=mounts)

    def run(name: str, command: Sequence[str]) -> str:
        started = time.monotonic()
        try:
            said = jail.run(command, image.environment, image.folder)
        except subprocess.CalledProcessError as error:
            raise InputError(f"image: {name} ended with {error.returncode}") from error
        print(f"{time.monotonic() - started:6.1f} s  image: {name}", file=sys.stderr, flush=True)
        return said

    return run
