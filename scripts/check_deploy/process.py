"""A process that a container runs, and what it finds there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from scripts.check_deploy.manifests import Manifests


@dataclass(frozen=True)
class Process:
    """A process of a container.

    Attributes:
        name: of the part.
        line: the command with its arguments.
        files: what the mounted files hold, by their paths in the container.
        folders: the other mounts.
    """

    name: str
    line: tuple[str, ...]
    files: Mapping[str, str]
    folders: tuple[str, ...]


def kubernetes_processes(manifests: Manifests, secrets: Mapping[str, Mapping[str, str]]) -> Iterator[Process]:
    """The processes of all containers.

    Args:
        manifests: the objects.
        secrets: what the Secrets hold, by name and key.
    """
    maps = {each["metadata"]["name"]: each.get("data", {}) for each in manifests.of("ConfigMap")}
    for workload in manifests.workloads():
        for container in workload.containers:
            files: dict[str, str] = {}
            folders = []
            for mount in container.get("volumeMounts", []):
                volume = workload.volumes.get(mount["name"], {})
                if "configMap" in volume:
                    held = maps.get(volume["configMap"]["name"], {})
                elif "secret" in volume:
                    held = secrets.get(volume["secret"]["secretName"], {})
                else:
                    folders.append(mount["mountPath"])
                    continue
                files |= {f"{mount['mountPath']}/{key}": text for key, text in held.items()}
            line = (*container.get("command", []), *container.get("args", []))
            yield Process(workload.name, line, files, tuple(folders))
