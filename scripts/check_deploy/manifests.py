"""The rendered Kubernetes objects."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import yaml

from scripts.check_deploy.workload import KINDS, Workload


class Manifests:
    """Rendered objects.

    Args:
        objects: as kustomize writes them.
    """

    def __init__(self, objects: Iterable[dict[str, Any]]) -> None:
        self.objects = list(objects)

    @classmethod
    def render(cls, folder: Path) -> Self:
        """What kustomize makes of a folder.

        Raises:
            RuntimeError: kustomize refuses it, or there is no kubectl.
        """
        done = subprocess.run(
            [find_kubectl(), "kustomize", str(folder)],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if done.returncode:
            raise RuntimeError(f"{folder}: {done.stderr.strip()}")
        return cls(each for each in yaml.safe_load_all(done.stdout) if each is not None)

    @classmethod
    def read(cls, file: Path) -> Self:
        """The objects of a file."""
        with file.open(encoding="utf-8") as stream:
            return cls(yaml.safe_load_all(stream))

    @classmethod
    def render_with(cls, overlay: Path, component: Path) -> Self:
        """What kustomize makes of an overlay and one component more."""
        with tempfile.TemporaryDirectory() as made:
            names = {"resources": overlay, "components": component}
            # Kustomize takes no absolute paths.
            content = {key: [os.path.relpath(path, os.path.realpath(made))] for key, path in names.items()}
            Path(made, "kustomization.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
            return cls.render(Path(os.path.realpath(made)))

    def of(self, *kinds: str) -> list[dict[str, Any]]:
        """The objects of some kinds."""
        return [each for each in self.objects if each["kind"] in kinds]

    def workloads(self) -> list[Workload]:
        """Whatever makes pods."""
        return [Workload(each) for each in self.of(*KINDS)]

    def chosen(self, selector: Mapping[str, Any] | None) -> list[Workload]:
        """The workloads whose pods a label selector chooses."""
        return [each for each in self.workloads() if selects(selector, each.labels)]

    def names(self, kind: str) -> set[str]:
        """The names of a kind's objects."""
        return {each["metadata"]["name"] for each in self.of(kind)}


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether a label selector, or a Service's plain one, chooses these labels; an empty one chooses all.

    Raises:
        ValueError: an operator other than In.
    """
    selector = selector or {}
    if not selector.keys() <= {"matchLabels", "matchExpressions"}:
        selector = {"matchLabels": selector}
    for expression in selector.get("matchExpressions", []):
        if expression["operator"] != "In":
            raise ValueError(f"expected the operator In, got {expression['operator']}")
        if labels.get(expression["key"]) not in expression["values"]:
            return False
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


def find_kubectl() -> str:
    """The environment's kubectl, else the one on the PATH.

    Raises:
        RuntimeError: there is none.
    """
    folders = os.pathsep.join((os.path.dirname(sys.executable), os.environ.get("PATH", "")))
    found = shutil.which("kubectl", path=folders)
    if found is None:
        raise RuntimeError("expected kubectl in the environment, which `make env` installs, found none")
    return found
