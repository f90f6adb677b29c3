"""Whatever an object names is there."""

from collections.abc import Iterator, Mapping
from typing import Any

from scripts.check_deploy.manifests import Manifests
from scripts.check_deploy.workload import Workload


def services_reach_pods(manifests: Manifests) -> Iterator[str]:
    """A Service chooses one part's pods, and its ports are theirs."""
    for each in manifests.of("Service"):
        name = f"Service {each['metadata']['name']}"
        chosen = manifests.chosen(each["spec"]["selector"])
        if len(chosen) != 1:
            yield f"{name}: expected the pods of one workload, got {[workload.name for workload in chosen]}"
        for workload in chosen:
            for port in each["spec"]["ports"]:
                if target_port(workload, port) is None:
                    yield f"{name}: port {port['port']} goes to {port.get('targetPort')}, no port of the pods"


def target_port(workload: Workload, port: Mapping[str, Any]) -> int | None:
    """The container's port that a Service's port goes to, or None where there is no such port."""
    target = port.get("targetPort", port["port"])
    if isinstance(target, str):
        return workload.ports.get(target)
    return target if target in workload.ports.values() else None


def selectors_choose_themselves(manifests: Manifests) -> Iterator[str]:
    """A workload's selector chooses its own pods and no others'."""
    for workload in manifests.workloads():
        chosen = [each.name for each in manifests.chosen(workload.body["spec"].get("selector"))]
        if chosen != [workload.name]:
            yield f"{workload.name}: expected a selector of its own pods, got those of {chosen}"


def autoscalers_scale(manifests: Manifests) -> Iterator[str]:
    """An autoscaler has a target that leaves the number of pods to it and requests the CPU that it measures."""
    workloads = {(each.body["kind"], each.name): each for each in manifests.workloads()}
    for each in manifests.of("HorizontalPodAutoscaler"):
        name, spec = f"HorizontalPodAutoscaler {each['metadata']['name']}", each["spec"]
        target = workloads.get((spec["scaleTargetRef"]["kind"], spec["scaleTargetRef"]["name"]))
        if target is None:
            yield f"{name}: expected a workload that is there as its target"
        elif "replicas" in target.body["spec"]:
            yield f"{name}: expected no replicas in {target.name}, which each apply would set back"
        if not spec["minReplicas"] <= spec["maxReplicas"]:
            yield f"{name}: expected minReplicas of at most maxReplicas"


def keys_exist(manifests: Manifests, secrets: Mapping[str, set[str]]) -> Iterator[str]:
    """Every key of a ConfigMap or a Secret that is named is there.

    Args:
        manifests: the objects.
        secrets: the keys by the name of the Secret, which the instructions say how to make.
    """
    maps = {each["metadata"]["name"]: set(each.get("data", {})) for each in manifests.of("ConfigMap")}
    for name, kind, source, keys in _references(manifests):
        found = (maps if kind == "ConfigMap" else secrets).get(source)
        if found is None:
            yield f"{name}: expected a {kind} {source}"
        else:
            yield from (f"{name}: {kind} {source} has no key {key}" for key in keys if key not in found)


def _references(manifests: Manifests) -> Iterator[tuple[str, str, str, list[str]]]:
    """Who names which ConfigMap or Secret, and which of its keys."""
    for workload in manifests.workloads():
        for volume in workload.volumes.values():
            if "configMap" in volume:
                source = volume["configMap"]
                yield (
                    workload.name,
                    "ConfigMap",
                    source["name"],
                    [key["key"] for key in source.get("items", [])],
                )
            if "secret" in volume:
                source = volume["secret"]
                yield (
                    workload.name,
                    "Secret",
                    source["secretName"],
                    [key["key"] for key in source.get("items", [])],
                )
        for container in workload.containers:
            for variable in container.get("env", []):
                for key, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
                    if key in variable.get("valueFrom", {}):
                        reference = variable["valueFrom"][key]
                        yield workload.name, kind, reference["name"], [reference["key"]]
    for each in manifests.of("PodMonitor"):
        for endpoint in each["spec"]["podMetricsEndpoints"]:
            if "authorization" in endpoint:
                reference = endpoint["authorization"]["credentials"]
                yield (
                    f"PodMonitor {each['metadata']['name']}",
                    "Secret",
                    reference["name"],
                    [reference["key"]],
                )


def volumes_exist(manifests: Manifests) -> Iterator[str]:
    """Every mount has its volume, every claim is there, and models and secrets are mounted for reading alone."""
    claims = manifests.names("PersistentVolumeClaim")
    for workload in manifests.workloads():
        for volume in workload.volumes.values():
            claim = volume.get("persistentVolumeClaim")
            if claim is not None and claim["claimName"] not in claims:
                yield f"{workload.name}: expected a PersistentVolumeClaim {claim['claimName']}"
        for container in workload.containers:
            for mount in container.get("volumeMounts", []):
                mounted = workload.volumes.get(mount["name"])
                if mounted is None:
                    yield f"{workload.name}: expected a volume {mount['name']}"
                elif not ({"emptyDir", "made"} & mounted.keys() or mount.get("readOnly")):
                    yield f"{workload.name}: expected {mount['mountPath']} to be mounted readOnly"


def monitors_find_ports(manifests: Manifests) -> Iterator[str]:
    """What Prometheus is told to collect has that port."""
    for each in manifests.of("PodMonitor"):
        name, chosen = f"PodMonitor {each['metadata']['name']}", manifests.chosen(each["spec"]["selector"])
        if not chosen:
            yield f"{name}: expected pods that it selects"
        for workload in chosen:
            for endpoint in each["spec"]["podMetricsEndpoints"]:
                if endpoint["port"] not in workload.ports:
                    yield f"{name}: {workload.name} has no port {endpoint['port']}"
