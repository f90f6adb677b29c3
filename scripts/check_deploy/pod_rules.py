"""What every pod has to be: unprivileged, bounded, watched."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from scripts.check_deploy.manifests import Manifests, selects
from scripts.check_deploy.quantities import quantity, size
from scripts.check_deploy.workload import Workload

_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
# The rest of its memory is for the copy that rewriting the append-only file makes of changed pages.
_MAX_REDIS_SHARE = 0.75


def non_root(manifests: Manifests) -> Iterator[str]:
    """No process is root."""
    for workload, container in _containers(manifests):
        context = workload.pod.get("securityContext", {}) | container.get("securityContext", {})
        if context.get("runAsNonRoot") is not True or not context.get("runAsUser"):
            yield f"{workload.name}/{container['name']}: expected runAsNonRoot and a runAsUser above 0"


def read_only_root(manifests: Manifests) -> Iterator[str]:
    """No process can change its image."""
    for workload, container in _containers(manifests):
        if container.get("securityContext", {}).get("readOnlyRootFilesystem") is not True:
            yield f"{workload.name}/{container['name']}: expected readOnlyRootFilesystem"


def no_privileges(manifests: Manifests) -> Iterator[str]:
    """No process has or gets a privilege."""
    for workload, container in _containers(manifests):
        context = container.get("securityContext", {})
        name = f"{workload.name}/{container['name']}"
        if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
            yield f"{name}: expected allowPrivilegeEscalation false and no privileged"
        if context.get("capabilities") != {"drop": ["ALL"]}:
            yield f"{name}: expected capabilities that drop ALL and add none"
        profile = (workload.pod.get("securityContext", {}) | context).get("seccompProfile")
        if profile != {"type": "RuntimeDefault"}:
            yield f"{name}: expected the seccompProfile RuntimeDefault"


def isolated(manifests: Manifests) -> Iterator[str]:
    """No pod sees its node or holds a key to the cluster."""
    for workload in manifests.workloads():
        if workload.pod.get("automountServiceAccountToken") is not False:
            yield f"{workload.name}: expected automountServiceAccountToken false"
        for key in ("hostNetwork", "hostPID", "hostIPC"):
            if workload.pod.get(key):
                yield f"{workload.name}: expected no {key}"
        for name, volume in workload.volumes.items():
            if "hostPath" in volume:
                yield f"{workload.name}: expected no hostPath, got the volume {name}"


def bounded(manifests: Manifests) -> Iterator[str]:
    """Every container says what it needs and has a limit, and so has every scratch volume."""
    for workload, container in _containers(manifests):
        resources = container.get("resources", {})
        for name in ("cpu", "memory"):
            least, most = (resources.get(key, {}).get(name) for key in ("requests", "limits"))
            if least is None or most is None or quantity(least) > quantity(most):
                yield f"{workload.name}/{container['name']}: expected a request and a limit of {name}"
    for workload in manifests.workloads():
        for name, volume in workload.volumes.items():
            if "emptyDir" in volume and "sizeLimit" not in volume["emptyDir"]:
                yield f"{workload.name}: expected a sizeLimit of the volume {name}"


def redis_fits(manifests: Manifests) -> Iterator[str]:
    """Redis refuses writes before the kernel kills it."""
    for workload, container in _containers(manifests):
        if container.get("command") != ["redis-server"]:
            continue
        args = container["args"]
        most = size(args[args.index("--maxmemory") + 1]) if "--maxmemory" in args else float("inf")
        limit = quantity(container["resources"]["limits"]["memory"])
        if most > _MAX_REDIS_SHARE * limit:
            yield f"{workload.name}: expected --maxmemory of at most {_MAX_REDIS_SHARE:.0%} of the limit"


def probed(manifests: Manifests) -> Iterator[str]:
    """Whoever listens is asked whether it starts, is ready and lives, at a port that it has."""
    for workload, container in _containers(manifests):
        ports = {port["name"] for port in container.get("ports", [])}
        for probe in _PROBES if ports else ():
            if probe not in container:
                yield f"{workload.name}/{container['name']}: expected a {probe}"
        for probe in _PROBES:
            for action in ("httpGet", "tcpSocket"):
                port = container.get(probe, {}).get(action, {}).get("port")
                if port is not None and port not in ports:
                    yield f"{workload.name}/{container['name']}: {probe} asks port {port}, which is not there"


def pinned_images(manifests: Manifests) -> Iterator[str]:
    """An image is named with its version."""
    for workload, container in _containers(manifests):
        problem = image_problem(container["image"])
        if problem:
            yield f"{workload.name}/{container['name']}: {problem}"


def image_problem(image: str) -> str | None:
    """What is wrong with an image's name, or None."""
    if "@sha256:" in image:
        return None
    tag = image.rpartition("/")[2].partition(":")[2]
    return None if tag and tag != "latest" else f"expected an image with a version, got {image}"


def no_secrets_inside(manifests: Manifests) -> Iterator[str]:
    """Secrets come by reference: none is in the files, in an environment or on a command line."""
    for each in manifests.of("Secret"):
        yield f"Secret {each['metadata']['name']}: expected no secret in the files"
    for workload, container in _containers(manifests):
        name = f"{workload.name}/{container['name']}"
        for variable in container.get("env", []):
            if "secretKeyRef" in variable.get("valueFrom", {}):
                yield f"{name}: expected the secret of {variable['name']} as a file"
            elif secret_name(variable["name"]):
                yield f"{name}: expected no value of {variable['name']}"
        for text in (*container.get("command", []), *container.get("args", [])):
            if holds_password(text):
                yield f"{name}: expected no password on the command line"


def secret_name(name: str) -> bool:
    """Whether a variable's name says that its value is a secret."""
    return re.search(r"PASSWORD|TOKEN|SECRET|CREDENTIAL|_KEY$", name, re.IGNORECASE) is not None


def holds_password(text: str) -> bool:
    """Whether an argument has a password in a URL or in a flag."""
    return re.search(r"://[^/@\s]*:[^/@\s]*@|^--?(requirepass|password|token)($|=)", text) is not None


def spread(manifests: Manifests) -> Iterator[str]:
    """Pods of one part that may be several lie on several nodes, but for those that have to lie on one."""
    for workload in manifests.workloads():
        if most_replicas(manifests, workload) < 2 or _goes_where(workload, [workload]):
            continue
        constraints = workload.pod.get("topologySpreadConstraints", [])
        if not any(
            each["topologyKey"] == "kubernetes.io/hostname"
            and selects(each["labelSelector"], workload.labels)
            for each in constraints
        ):
            yield f"{workload.name}: expected topologySpreadConstraints over nodes for its own pods"


def meet_on_one_node(manifests: Manifests) -> Iterator[str]:
    """Pods that share a volume which is there for one node alone go where others of them are."""
    for claim in manifests.of("PersistentVolumeClaim"):
        name, modes = claim["metadata"]["name"], set(claim["spec"]["accessModes"])
        sharing = [each for each in manifests.workloads() if name in _claims(each)]
        pods = sum(most_replicas(manifests, each) for each in sharing)
        if modes & {"ReadOnlyMany", "ReadWriteMany"} or pods < 2:
            continue
        for workload in sharing:
            if not _goes_where(workload, sharing):
                yield (
                    f"{workload.name}: expected a required podAffinity on kubernetes.io/hostname to all that"
                    f" share the claim {name}, itself included"
                )


def _claims(workload: Workload) -> set[str]:
    volumes = workload.volumes.values()
    return {each["persistentVolumeClaim"]["claimName"] for each in volumes if "persistentVolumeClaim" in each}


def _goes_where(workload: Workload, others: Sequence[Workload]) -> bool:
    """Whether its pods only go to nodes where those of others are."""
    affinity = workload.pod.get("affinity", {}).get("podAffinity", {})
    return any(
        term["topologyKey"] == "kubernetes.io/hostname"
        and all(selects(term["labelSelector"], each.labels) for each in others)
        for term in affinity.get("requiredDuringSchedulingIgnoredDuringExecution", [])
    )


def drained_gently(manifests: Manifests) -> Iterator[str]:
    """A part of several pods has a budget that lets a node be drained, and no budget forbids it."""
    budgets = manifests.of("PodDisruptionBudget")
    for workload in manifests.workloads():
        own = [each for each in budgets if selects(each["spec"]["selector"], workload.labels)]
        if least_replicas(manifests, workload) > 1 and not own:
            yield f"{workload.name}: expected a PodDisruptionBudget"
    for each in budgets:
        name = f"PodDisruptionBudget {each['metadata']['name']}"
        if not manifests.chosen(each["spec"]["selector"]):
            yield f"{name}: expected pods that it selects"
        if not each["spec"].get("maxUnavailable"):
            yield f"{name}: expected maxUnavailable above 0"


def least_replicas(manifests: Manifests, workload: Workload) -> int:
    """How many pods a workload has at least."""
    return _replicas(manifests, workload, "minReplicas")


def most_replicas(manifests: Manifests, workload: Workload) -> int:
    """How many pods a workload may get."""
    return _replicas(manifests, workload, "maxReplicas")


def _replicas(manifests: Manifests, workload: Workload, bound: str) -> int:
    for each in manifests.of("HorizontalPodAutoscaler"):
        target = each["spec"]["scaleTargetRef"]
        if (target["kind"], target["name"]) == (workload.body["kind"], workload.name):
            return each["spec"][bound]
    return workload.body["spec"].get("replicas", 1)


def _containers(manifests: Manifests) -> Iterator[tuple[Workload, dict[str, Any]]]:
    for workload in manifests.workloads():
        for container in workload.containers:
            yield workload, container
