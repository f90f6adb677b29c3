"""The images' locks are those of the project, without what development alone needs."""

import ast
import re
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parents[3]
ENTRY = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;]+)(?: ; (.+?))? \\$")
HASH = re.compile(r"--hash=(\S+?)(?: \\)?$")
IMAGE = {"python_version": "3.13", "python_full_version": "3.13.5"}

# By name: the version and the hashes.
Lock = dict[str, tuple[str, frozenset[str]]]


def read_lock(name: str) -> Lock:
    """The entries of a lock that are for Python 3.13."""
    found: dict[str, tuple[str, set[str]]] = {}
    hashes: set[str] = set()
    for line in (REPOSITORY / name).read_text(encoding="utf-8").splitlines():
        if entry := ENTRY.match(line):
            hashes = set()
            marker = Requirement(f"{entry[1]} ; {entry[3]}").marker if entry[3] else None
            if marker is None or marker.evaluate(IMAGE):
                found[canonicalize_name(entry[1])] = entry[2], hashes
        elif each := HASH.search(line):
            hashes.add(each[1])
    return {key: (version, frozenset(hashes)) for key, (version, hashes) in found.items()}


@pytest.fixture(scope="module")
def cpu() -> Lock:
    return read_lock("requirements-cpu.lock")


def test_versions_and_files_are_those_of_the_projects_lock(cpu: Lock) -> None:
    tested = read_lock("requirements.lock")
    assert len(cpu) > 200
    assert {name: version for name, (version, _) in cpu.items()} == {name: tested[name][0] for name in cpu}
    assert all(hashes and hashes <= tested[name][1] for name, (_, hashes) in cpu.items())


def test_it_is_what_setup_asks_for_without_dev(cpu: Lock) -> None:
    assert set(needed()) == set(cpu)


def test_the_gpu_lock_adds_the_libraries_of_cuda_alone(cpu: Lock) -> None:
    gpu = read_lock("requirements-gpu.lock")
    added = gpu.keys() - cpu.keys()
    assert {name: gpu[name] for name in cpu} == cpu
    assert {"nvidia-cudnn-cu12", "nvidia-nccl-cu12"} <= added
    assert all(name.startswith("nvidia-") for name in added)


def test_beams_starter_is_of_the_same_beam_and_python(cpu: Lock) -> None:
    (image,) = re.findall(r"^ARG BEAM_SDK=(.+)$", (REPOSITORY / "Dockerfile").read_text(), re.MULTILINE)
    assert image == f"apache/beam_python3.13_sdk:{cpu['apache-beam'][0]}"


def needed() -> list[str]:
    """What setup.py and the images' extras need, by the metadata of what is installed here."""
    tree = ast.parse((REPOSITORY / "setup.py").read_text(encoding="utf-8"))
    values = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    extras = [each for name in ("kubeflow", "pretrained", "redis") for each in values["EXTRAS_REQUIRE"][name]]
    left_out = {
        canonicalize_name(Requirement(line).name)
        for line in (REPOSITORY / "scripts" / "overrides.txt").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    }
    found: list[str] = []
    seen: set[tuple[str, str]] = set()
    waiting = [Requirement(each) for each in values["INSTALL_REQUIRES"] + extras]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        for extra in ("", *requirement.extras):
            if name in left_out or (name, extra) in seen:
                continue
            seen.add((name, extra))
            found += [name] if name not in found else []
            for each in map(Requirement, metadata.requires(name) or ()):
                if each.marker is None or each.marker.evaluate(IMAGE | {"extra": extra}):
                    waiting.append(each)
    return found
