"""Every rule holds for what deploy/kubernetes renders to, and breaks where it is broken on purpose."""

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.check_deploy import alert_rules, network_rules, pod_rules, reference_rules
from scripts.check_deploy.check import DEPLOY, MANIFEST_RULES, POD_RULES
from scripts.check_deploy.manifests import Manifests
from scripts.check_deploy.schemas import check_schemas

Object = dict[str, Any]


def find(manifests: Manifests, kind: str, name: str) -> Object:
    return next(each for each in manifests.of(kind) if each["metadata"]["name"] == name)


def pod(manifests: Manifests, name: str = "gateway", kind: str = "Deployment") -> Object:
    return find(manifests, kind, name)["spec"]["template"]["spec"]


def container(manifests: Manifests, name: str = "gateway", kind: str = "Deployment") -> Object:
    return pod(manifests, name, kind)["containers"][0]


def remove(manifests: Manifests, kind: str, name: str) -> None:
    manifests.objects.remove(find(manifests, kind, name))


def spec(kind: str, name: str) -> Callable[[Manifests], Object]:
    return lambda manifests: find(manifests, kind, name)["spec"]


def policy(name: str) -> Callable[[Manifests], Object]:
    return spec("NetworkPolicy", name)


def alert(manifests: Manifests) -> Object:
    return find(manifests, "PrometheusRule", "adlens")["spec"]["groups"][0]["rules"][0]


Break = Callable[[Manifests], object]
EXAMPLES: list[tuple[Callable, Break, str]] = [
    (
        check_schemas,
        lambda m: container(m).update(imagePullpolicy="Always"),
        "1.30 refuses .*imagePullpolicy",
    ),
    (
        check_schemas,
        lambda m: container(m)["ports"][0].update(containerPort="http"),
        "refuses .*containerPort",
    ),
    (check_schemas, lambda m: container(m).pop("name"), "'name' is a required property"),
    (
        pod_rules.non_root,
        lambda m: pod(m)["securityContext"].pop("runAsNonRoot"),
        "gateway/gateway: .*runAsNonRoot",
    ),
    (
        pod_rules.non_root,
        lambda m: pod(m)["securityContext"].update(runAsUser=0),
        "gateway/gateway: .*runAsUser",
    ),
    (pod_rules.non_root, lambda m: container(m)["securityContext"].update(runAsUser=0), "runAsUser above 0"),
    (
        pod_rules.read_only_root,
        lambda m: container(m, "redis", "StatefulSet")["securityContext"].update(
            readOnlyRootFilesystem=False
        ),
        "redis/redis: expected readOnlyRootFilesystem",
    ),
    (
        pod_rules.read_only_root,
        lambda m: pod(m).update(initContainers=[{"name": "first", "image": "adlens:1"}]),
        "gateway/first: expected readOnlyRootFilesystem",
    ),
    (
        pod_rules.no_privileges,
        lambda m: container(m)["securityContext"].pop("allowPrivilegeEscalation"),
        "expected allowPrivilegeEscalation false",
    ),
    (
        pod_rules.no_privileges,
        lambda m: container(m)["securityContext"]["capabilities"].update(add=["NET_ADMIN"]),
        "drop ALL and add none",
    ),
    (pod_rules.no_privileges, lambda m: pod(m)["securityContext"].pop("seccompProfile"), "seccompProfile"),
    (
        pod_rules.isolated,
        lambda m: pod(m).pop("automountServiceAccountToken"),
        "automountServiceAccountToken",
    ),
    (pod_rules.isolated, lambda m: pod(m).update(hostNetwork=True), "expected no hostNetwork"),
    (
        pod_rules.isolated,
        lambda m: pod(m)["volumes"].append({"name": "node", "hostPath": {"path": "/"}}),
        "expected no hostPath, got the volume node",
    ),
    (pod_rules.bounded, lambda m: container(m)["resources"]["limits"].pop("memory"), "a limit of memory"),
    (pod_rules.bounded, lambda m: container(m)["resources"]["requests"].update(cpu="64"), "a limit of cpu"),
    (
        pod_rules.bounded,
        lambda m: next(each for each in pod(m)["volumes"] if each["name"] == "tmp").update(emptyDir={}),
        "expected a sizeLimit of the volume tmp",
    ),
    (
        pod_rules.redis_fits,
        # 25 of 32 GiB are 78 %.
        lambda m: container(m, "redis", "StatefulSet").update(
            args=["/etc/redis/redis.conf", "--maxmemory", "25gb"]
        ),
        "redis: expected --maxmemory of at most 75% of the limit",
    ),
    (
        pod_rules.redis_fits,
        lambda m: container(m, "redis", "StatefulSet").update(args=["/etc/redis/redis.conf"]),
        "redis: expected --maxmemory",
    ),
    (
        pod_rules.probed,
        lambda m: container(m).pop("readinessProbe"),
        "gateway/gateway: expected a readinessProbe",
    ),
    (
        pod_rules.probed,
        lambda m: container(m)["livenessProbe"]["httpGet"].update(port="status"),
        "livenessProbe asks port status",
    ),
    (
        pod_rules.pinned_images,
        lambda m: container(m).update(image="adlens:latest"),
        "with a version, got adlens:lat",
    ),
    (
        pod_rules.pinned_images,
        lambda m: container(m).update(image="host:5000/adlens"),
        "got host:5000/adlens",
    ),
    (
        pod_rules.no_secrets_inside,
        lambda m: m.objects.append({"kind": "Secret", "metadata": {"name": "password"}}),
        "Secret password: expected no secret in the files",
    ),
    (
        pod_rules.no_secrets_inside,
        lambda m: container(m)["env"].append({"name": "REDIS_PASSWORD", "value": "x"}),
        "expected no value of REDIS_PASSWORD",
    ),
    (
        pod_rules.no_secrets_inside,
        lambda m: container(m)["env"].append(
            {"name": "REDIS", "valueFrom": {"secretKeyRef": {"name": "adlens-redis-url", "key": "redis_url"}}}
        ),
        "expected the secret of REDIS as a file",
    ),
    (
        pod_rules.no_secrets_inside,
        lambda m: container(m)["args"].append("--index=redis://adlens:secret@redis:6379/0"),
        "expected no password on the command line",
    ),
    (pod_rules.spread, lambda m: pod(m).pop("topologySpreadConstraints"), "gateway: expected topologySpread"),
    (
        pod_rules.spread,
        lambda m: pod(m)["topologySpreadConstraints"][1].update(labelSelector={"matchLabels": {"a": "b"}}),
        "for its own pods",
    ),
    (
        pod_rules.meet_on_one_node,
        lambda m: spec("PersistentVolumeClaim", "models")(m).update(accessModes=["ReadWriteOnce"]),
        "gateway: expected a required podAffinity .* that share the claim models",
    ),
    (
        pod_rules.drained_gently,
        lambda m: remove(m, "PodDisruptionBudget", "tf-serving"),
        "tf-serving: expected a PodDisruptionBudget",
    ),
    (
        pod_rules.drained_gently,
        lambda m: spec("PodDisruptionBudget", "gateway")(m).update(maxUnavailable=0),
        "gateway: expected maxUnavailable above 0",
    ),
    (
        reference_rules.services_reach_pods,
        lambda m: spec("Service", "gateway")(m)["selector"].update(tier="front"),
        "Service gateway: expected the pods of one workload, got \\[\\]",
    ),
    (
        reference_rules.services_reach_pods,
        lambda m: spec("Service", "gateway")(m)["ports"][0].update(targetPort="grpc"),
        "Service gateway: port 80 goes to grpc",
    ),
    (
        reference_rules.services_reach_pods,
        lambda m: spec("Service", "redis")(m)["ports"][0].update(targetPort=6380),
        "Service redis: port 6379 goes to 6380",
    ),
    (
        reference_rules.selectors_choose_themselves,
        lambda m: spec("Deployment", "gateway")(m).update(
            selector={"matchLabels": {"app.kubernetes.io/part-of": "adlens"}}
        ),
        "gateway: expected a selector of its own pods, got those of .*publisher",
    ),
    (
        reference_rules.autoscalers_scale,
        lambda m: spec("HorizontalPodAutoscaler", "gateway")(m)["scaleTargetRef"].update(name="gatewya"),
        "HorizontalPodAutoscaler gateway: expected a workload that is there",
    ),
    (
        reference_rules.autoscalers_scale,
        lambda m: spec("Deployment", "gateway")(m).update(replicas=3),
        "expected no replicas in gateway",
    ),
    (
        reference_rules.autoscalers_scale,
        lambda m: spec("HorizontalPodAutoscaler", "gateway")(m).update(minReplicas=30),
        "expected minReplicas of at most maxReplicas",
    ),
    (
        reference_rules.volumes_exist,
        lambda m: remove(m, "PersistentVolumeClaim", "models"),
        "tf-serving: expected a PersistentVolumeClaim models",
    ),
    (
        reference_rules.volumes_exist,
        lambda m: container(m)["volumeMounts"].append({"name": "cache", "mountPath": "/cache"}),
        "gateway: expected a volume cache",
    ),
    (
        reference_rules.volumes_exist,
        lambda m: container(m)["volumeMounts"][0].pop("readOnly"),
        "gateway: expected /models to be mounted readOnly",
    ),
    (
        reference_rules.monitors_find_ports,
        lambda m: spec("PodMonitor", "gateway")(m)["podMetricsEndpoints"][0].update(port="metrics"),
        "PodMonitor gateway: gateway has no port metrics",
    ),
    (
        reference_rules.monitors_find_ports,
        lambda m: spec("PodMonitor", "gateway")(m)["selector"]["matchLabels"].update(a="b"),
        "PodMonitor gateway: expected pods",
    ),
    (network_rules.default_deny, lambda m: remove(m, "NetworkPolicy", "default-deny"), "denies all pods"),
    (network_rules.default_deny, lambda m: policy("default-deny")(m)["policyTypes"].pop(), "denies all pods"),
    (
        network_rules.ways_have_both_ends,
        lambda m: policy("redis")(m)["ingress"][0]["from"][0]["podSelector"]["matchExpressions"][0][
            "values"
        ].remove("publisher"),
        "the way publisher -> redis:6379 may be sent and not taken",
    ),
    (
        network_rules.ways_have_both_ends,
        lambda m: policy("publisher")(m).pop("egress"),
        "the way publisher -> redis:6379 may be taken and not sent",
    ),
    (
        network_rules.ways_have_both_ends,
        lambda m: policy("gateway")(m)["egress"][1]["ports"][0].update(port=6380),
        "the way gateway -> redis:6380: no container has this port",
    ),
    (
        network_rules.ways_are_needed,
        lambda m: policy("gateway")(m)["egress"].pop(0),
        "the way gateway -> tf-serving:8500 is needed and not allowed",
    ),
    (
        network_rules.ways_are_needed,
        lambda m: policy("gateway")(m)["egress"][0]["ports"].append({"protocol": "TCP", "port": 8501}),
        "the way gateway -> tf-serving:8501 is allowed and not needed",
    ),
    (
        network_rules.addresses_are_services,
        lambda m: remove(m, "Service", "tf-serving"),
        "gateway: no Service answers at tf-serving:8500",
    ),
    (
        network_rules.addresses_are_services,
        lambda m: spec("Service", "redis")(m)["ports"][0].update(port=6380),
        "publisher: no Service answers at redis:6379",
    ),
    (network_rules.names_resolve, lambda m: remove(m, "NetworkPolicy", "dns"), "publisher: .* a way to DNS"),
    (
        network_rules.outside_ways_arrive,
        lambda m: policy("monitoring")(m)["ingress"][0]["ports"][0].update(port=8081),
        "NetworkPolicy monitoring: no pod that it selects has port 8081",
    ),
    (
        network_rules.outside_ways_arrive,
        lambda m: policy("gateway")(m)["ingress"][0].update({"from": [{"namespaceSelector": {}}]}),
        "NetworkPolicy gateway: expected a selector of pods or of namespaces",
    ),
    (
        network_rules.outside_ways_arrive,
        lambda m: policy("gateway")(m)["ingress"][0].pop("from"),
        "NetworkPolicy gateway: expected from and ports",
    ),
    (
        network_rules.policies_choose_pods,
        lambda m: policy("gateway")(m)["podSelector"]["matchLabels"].update(a="b"),
        "NetworkPolicy gateway: expected pods",
    ),
    (
        network_rules.policies_choose_pods,
        lambda m: remove(m, "NetworkPolicy", "redis"),
        "redis: expected a NetworkPolicy",
    ),
    (
        alert_rules.alerts_are_whole,
        lambda m: alert(m).update(expr="sum(rate(x[5m])"),
        "unclosed left parenthesis",
    ),
    (alert_rules.alerts_are_whole, lambda m: alert(m)["labels"].clear(), "expected the severity"),
    (alert_rules.alerts_are_whole, lambda m: alert(m).pop("for"), "expected a summary and for"),
    (
        alert_rules.alerts_have_metrics,
        lambda m: alert(m).update(expr="adlens_queue_age > 3"),
        "no part tells adlens_q",
    ),
    (
        alert_rules.alerts_have_metrics,
        lambda m: alert(m).update(expr='adlens_gateway_requests_total{code="500"} > 3'),
        "adlens_gateway_requests_total has no label code",
    ),
    (
        alert_rules.alerts_have_metrics,
        lambda m: alert(m).update(expr='adlens_gateway_requests_total{route="/v1/recommend"} > 3'),
        "adlens_gateway_requests_total has no route /v1/recommend",
    ),
    (
        alert_rules.alerts_have_metrics,
        lambda m: alert(m).update(expr='adlens_encoder_claims_total{outcome="lots"} > 3'),
        "adlens_encoder_claims_total has no outcome lots",
    ),
]


def test_every_rule_has_an_example() -> None:
    assert {rule for rule, *_ in EXAMPLES} == set(MANIFEST_RULES)


@pytest.mark.parametrize("rule", MANIFEST_RULES, ids=lambda rule: rule.__name__)
def test_rule_holds(rule: Callable, production: Manifests) -> None:
    assert list(rule(production)) == []


@pytest.mark.parametrize(
    ("rule", "damage", "message"), EXAMPLES, ids=[f"{rule.__name__}-{text}" for rule, _, text in EXAMPLES]
)
def test_rule_breaks(rule: Callable, damage: Break, message: str, production: Manifests) -> None:
    manifests = Manifests(copy.deepcopy(production.objects))
    damage(manifests)
    assert re.search(message, "\n".join(rule(manifests)))


def small_with_copying(small: Manifests) -> Manifests:
    copying = Manifests.read(DEPLOY / "kubernetes" / "copy-models.yaml")
    return Manifests(copy.deepcopy([*small.objects, *copying.objects]))


def test_small_one_is_on_one_node(small: Manifests) -> None:
    manifests = small_with_copying(small)
    assert [problem for rule in POD_RULES for problem in rule(manifests)] == []
    assert list(pod_rules.spread(small)) == []
    # Of one pod that has nothing to meet with, nothing is asked.
    for name in ("tf-serving", "gateway", "publisher"):
        remove(manifests, "Deployment", name)
    find(manifests, "Pod", "copy-models")["spec"].pop("affinity")
    assert list(pod_rules.meet_on_one_node(manifests)) == []


TERMS = "requiredDuringSchedulingIgnoredDuringExecution"


@pytest.mark.parametrize(
    "change",
    [
        lambda pod: pod.pop("affinity"),
        lambda pod: pod["affinity"]["podAffinity"][TERMS].clear(),
        lambda pod: pod["affinity"]["podAffinity"][TERMS][0].update(
            topologyKey="topology.kubernetes.io/zone"
        ),
        # Another one may be elsewhere.
        lambda pod: pod["affinity"]["podAffinity"][TERMS][0].update(
            labelSelector={"matchLabels": {"app.kubernetes.io/name": "tf-serving"}}
        ),
    ],
    ids=["none", "no term", "another key", "one alone"],
)
def test_pods_that_may_go_elsewhere_are_found(small: Manifests, change: Callable[[Object], object]) -> None:
    manifests = small_with_copying(small)
    change(pod(manifests, "publisher"))
    (found,) = pod_rules.meet_on_one_node(manifests)
    assert found.startswith("publisher: expected a required podAffinity on kubernetes.io/hostname")
    change(find(manifests, "Pod", "copy-models")["spec"])
    assert len(list(pod_rules.meet_on_one_node(manifests))) == 2
    change(pod(manifests, "gateway"))
    assert "gateway: expected topologySpread" in "\n".join(pod_rules.spread(manifests))


SECRETS = {
    "adlens-redis-users": {"users.acl"},
    "adlens-redis-url": {"redis_url"},
    "adlens-gateway-tokens": {"tokens"},
    "adlens-metrics-token": {"token"},
}


def test_keys_exist(production: Manifests) -> None:
    assert list(reference_rules.keys_exist(production, SECRETS)) == []


@pytest.mark.parametrize("name", SECRETS)
def test_missing_secret_and_key_are_found(name: str, production: Manifests) -> None:
    missing = {key: keys for key, keys in SECRETS.items() if key != name}
    assert f"expected a Secret {name}" in "\n".join(reference_rules.keys_exist(production, missing))
    other = SECRETS | {name: {"another"}}
    assert f"Secret {name} has no key" in "\n".join(reference_rules.keys_exist(production, other))


def test_missing_config_map_is_found(production: Manifests) -> None:
    manifests = Manifests([each for each in production.objects if each["kind"] != "ConfigMap"])
    found = "\n".join(reference_rules.keys_exist(manifests, SECRETS))
    assert "redis: expected a ConfigMap redis-" in found
    assert "tf-serving: expected a ConfigMap tf-serving-" in found


def test_folder_that_kustomize_refuses(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: [absent.yaml]\n")
    with pytest.raises(RuntimeError, match=r"absent\.yaml"):
        Manifests.render(tmp_path)
