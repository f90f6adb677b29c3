"""Who may talk to whom: nobody but those who have to."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from scripts.check_deploy.manifests import Manifests, selects
from scripts.check_deploy.reference_rules import target_port
from scripts.check_deploy.workload import Workload

# From a workload to a port of another one.
Way = tuple[str, str, int]

_ADDRESS = re.compile(r"(?:^|=)([a-z][a-z0-9-]*):([0-9]+)$")
# Of a Secret with the address of Redis: who mounts it talks to Redis.
_REDIS_URL = "adlens-redis-url"


def default_deny(manifests: Manifests) -> Iterator[str]:
    """Pods may do nothing unless a policy says so."""
    if not any(
        each["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
        for each in manifests.of("NetworkPolicy")
    ):
        yield "expected a NetworkPolicy that denies all pods all ways in and out"


def ways_have_both_ends(manifests: Manifests) -> Iterator[str]:
    """What one side may send the other may take, and the port is there."""
    out, into = _egress(manifests), _ingress(manifests)
    yield from (f"{_say(way)} may be sent and not taken" for way in sorted(out - into))
    yield from (f"{_say(way)} may be taken and not sent" for way in sorted(into - out))
    ports = {each.name: set(each.ports.values()) for each in manifests.workloads()}
    for way in sorted(out | into):
        if way[2] not in ports[way[1]]:
            yield f"{_say(way)}: no container has this port"


def ways_are_needed(manifests: Manifests) -> Iterator[str]:
    """Exactly the ways of the command lines are open."""
    needed, allowed = _needed(manifests), _egress(manifests)
    yield from (f"{_say(way)} is needed and not allowed" for way in sorted(needed - allowed))
    yield from (f"{_say(way)} is allowed and not needed" for way in sorted(allowed - needed))


def names_resolve(manifests: Manifests) -> Iterator[str]:
    """Whoever calls another by its name may ask DNS."""
    asking = {
        workload.name
        for policy, rule in _rules(manifests, "egress")
        if {(port["protocol"], port["port"]) for port in rule.get("ports", [])} == {("UDP", 53), ("TCP", 53)}
        for workload in manifests.chosen(policy["spec"]["podSelector"])
    }
    for name in sorted({way[0] for way in _needed(manifests)} - asking):
        yield f"{name}: expected a NetworkPolicy with a way to DNS"


def outside_ways_arrive(manifests: Manifests) -> Iterator[str]:
    """A port that another namespace may use is one of the pods', and none is open to everybody."""
    for policy, rule in _rules(manifests, "ingress"):
        name = f"NetworkPolicy {policy['metadata']['name']}"
        if not rule.get("from") or not rule.get("ports"):
            yield f"{name}: expected from and ports"
        ports = {
            port for each in manifests.chosen(policy["spec"]["podSelector"]) for port in each.ports.values()
        }
        for port in rule.get("ports", []):
            if port["port"] not in ports:
                yield f"{name}: no pod that it selects has port {port['port']}"
        for peer in rule.get("from", []):
            if "ipBlock" in peer or not (peer.get("namespaceSelector") or peer.get("podSelector")):
                yield f"{name}: expected a selector of pods or of namespaces"


def policies_choose_pods(manifests: Manifests) -> Iterator[str]:
    """A policy chooses some pods, and each workload has one of its own."""
    policies = [each for each in manifests.of("NetworkPolicy") if each["spec"]["podSelector"]]
    for each in policies:
        if not manifests.chosen(each["spec"]["podSelector"]):
            yield f"NetworkPolicy {each['metadata']['name']}: expected pods that it selects"
    for workload in manifests.workloads():
        if not any(selects(each["spec"]["podSelector"], workload.labels) for each in policies):
            yield f"{workload.name}: expected a NetworkPolicy"


def addresses_are_services(manifests: Manifests) -> Iterator[str]:
    """Every address of a command line is a Service's."""
    for workload in manifests.workloads():
        for host, port in _addresses(workload):
            if _behind(manifests, host, port) is None:
                yield f"{workload.name}: no Service answers at {host}:{port}"


def _needed(manifests: Manifests) -> set[Way]:
    return {
        (workload.name, *target)
        for workload in manifests.workloads()
        for address in _addresses(workload)
        if (target := _behind(manifests, *address))
    }


def _addresses(workload: Workload) -> list[tuple[str, int]]:
    found = [
        (match[1], int(match[2]))
        for container in workload.containers
        for text in container.get("args", [])
        if (match := _ADDRESS.search(text))
    ]
    if any(each.get("secret", {}).get("secretName") == _REDIS_URL for each in workload.volumes.values()):
        found.append(("redis", 6379))
    return found


def _behind(manifests: Manifests, host: str, port: int) -> tuple[str, int] | None:
    """The workload and its port behind an address; None where there is no such Service."""
    for service in manifests.of("Service"):
        if service["metadata"]["name"] == host:
            for workload in manifests.chosen(service["spec"]["selector"]):
                for each in service["spec"]["ports"]:
                    target = target_port(workload, each)
                    if each["port"] == port and target is not None:
                        return workload.name, target
    return None


def _egress(manifests: Manifests) -> set[Way]:
    return {
        (source.name, target.name, port["port"])
        for policy, rule in _rules(manifests, "egress")
        for source in manifests.chosen(policy["spec"]["podSelector"])
        for target in _peers(manifests, rule.get("to", []))
        for port in rule["ports"]
    }


def _ingress(manifests: Manifests) -> set[Way]:
    return {
        (source.name, target.name, port["port"])
        for policy, rule in _rules(manifests, "ingress")
        for target in manifests.chosen(policy["spec"]["podSelector"])
        for source in _peers(manifests, rule.get("from", []))
        for port in rule["ports"]
    }


def _peers(manifests: Manifests, peers: list[Mapping[str, Any]]) -> Iterator[Workload]:
    """The workloads of this namespace among the peers of a rule."""
    for peer in peers:
        if "namespaceSelector" not in peer and "podSelector" in peer:
            yield from manifests.chosen(peer["podSelector"])


def _rules(manifests: Manifests, direction: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for policy in manifests.of("NetworkPolicy"):
        for rule in policy["spec"].get(direction, []):
            yield policy, rule


def _say(way: Way) -> str:
    return f"the way {way[0]} -> {way[1]}:{way[2]}"
