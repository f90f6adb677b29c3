"""One part of the deployment, as the rules see it."""

from dataclasses import dataclass
from typing import Any

KINDS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod")


@dataclass(frozen=True)
class Workload:
    """An object that makes pods, or is one.

    Attributes:
        body: the rendered object.
    """

    body: dict[str, Any]

    @property
    def name(self) -> str:
        """Its name."""
        return self.body["metadata"]["name"]

    @property
    def pod(self) -> dict[str, Any]:
        """The pods' specification."""
        return self._template["spec"]

    @property
    def labels(self) -> dict[str, str]:
        """The pods' labels."""
        return self._template["metadata"].get("labels", {})

    @property
    def containers(self) -> list[dict[str, Any]]:
        """All containers, those that only prepare included."""
        return [*self.pod.get("initContainers", []), *self.pod["containers"]]

    @property
    def ports(self) -> dict[str, int]:
        """The containers' ports by name."""
        return {
            port.get("name", str(port["containerPort"])): port["containerPort"]
            for container in self.containers
            for port in container.get("ports", [])
        }

    @property
    def volumes(self) -> dict[str, dict[str, Any]]:
        """The pods' volumes by name, and those that a StatefulSet makes for them."""
        claims = self.body["spec"].get("volumeClaimTemplates", [])
        return {volume["name"]: volume for volume in self.pod.get("volumes", [])} | {
            claim["metadata"]["name"]: {"name": claim["metadata"]["name"], "made": claim} for claim in claims
        }

    @property
    def _template(self) -> dict[str, Any]:
        if self.body["kind"] == "Pod":
            return self.body
        spec = self.body["spec"]
        return (spec["jobTemplate"]["spec"] if "jobTemplate" in spec else spec)["template"]
