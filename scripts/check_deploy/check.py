"""All rules over all that deploy/ renders to."""

from collections.abc import Callable, Iterator
from pathlib import Path

from scripts.check_deploy import (
    alert_rules,
    command_rules,
    compose_rules,
    network_rules,
    pod_rules,
    reference_rules,
)
from scripts.check_deploy.compose_file import ComposeFile
from scripts.check_deploy.manifests import Manifests
from scripts.check_deploy.process import kubernetes_processes
from scripts.check_deploy.schemas import check_schemas
from scripts.check_deploy.secrets import documented_secrets, made_secrets

REPOSITORY = Path(__file__).resolve().parents[2]
DEPLOY = REPOSITORY / "deploy"
SMALL = DEPLOY / "kubernetes" / "overlays" / "small"
PAGE = REPOSITORY / "docs" / "deploy.md"

Rule = Callable[[Manifests], Iterator[str]]
# Of any pod, also of one that is no part of serving.
POD_RULES: tuple[Rule, ...] = (
    check_schemas,
    pod_rules.non_root,
    pod_rules.read_only_root,
    pod_rules.no_privileges,
    pod_rules.isolated,
    pod_rules.bounded,
    pod_rules.redis_fits,
    pod_rules.probed,
    pod_rules.pinned_images,
    pod_rules.no_secrets_inside,
    pod_rules.meet_on_one_node,
)
MANIFEST_RULES: tuple[Rule, ...] = (
    *POD_RULES,
    pod_rules.spread,
    pod_rules.drained_gently,
    reference_rules.services_reach_pods,
    reference_rules.selectors_choose_themselves,
    reference_rules.autoscalers_scale,
    reference_rules.volumes_exist,
    reference_rules.monitors_find_ports,
    network_rules.default_deny,
    network_rules.ways_have_both_ends,
    network_rules.ways_are_needed,
    network_rules.addresses_are_services,
    network_rules.names_resolve,
    network_rules.outside_ways_arrive,
    network_rules.policies_choose_pods,
    alert_rules.alerts_are_whole,
    alert_rules.alerts_have_metrics,
)
COMPOSE_RULES: tuple[Callable[[ComposeFile], Iterator[str]], ...] = (
    compose_rules.follows_specification,
    compose_rules.variables_are_explained,
    compose_rules.restricted,
    compose_rules.bounded,
    compose_rules.watched,
    compose_rules.separated,
    compose_rules.neighbors_share_networks,
    compose_rules.mounts_for_reading,
    compose_rules.secrets_are_files,
    compose_rules.images_are_pinned,
)


def check_all() -> tuple[list[str], int]:
    """Renders and checks everything. Returns the problems, and how many objects and services there are."""
    files = made_secrets(DEPLOY / "make_secrets.sh")
    secrets = documented_secrets(PAGE.read_text(encoding="utf-8"), files)
    compose = ComposeFile(DEPLOY / "compose" / "compose.yaml")
    here = list(compose.processes(files))
    problems = [f"compose: {each}" for rule in COMPOSE_RULES for each in rule(compose)]
    problems += [f"compose: {each}" for each in command_rules.lines_are_taken(here)]
    count = len(compose.services)
    for name, manifests in rendered(DEPLOY / "kubernetes"):
        there = list(kubernetes_processes(manifests, secrets))
        found = [each for rule in MANIFEST_RULES for each in rule(manifests)]
        found += reference_rules.keys_exist(manifests, {key: set(held) for key, held in secrets.items()})
        found += command_rules.lines_are_taken(there)
        found += command_rules.lines_agree(here, there)
        problems += [f"{name}: {each}" for each in found]
        count += len(manifests.objects)
    copying = Manifests.read(DEPLOY / "kubernetes" / "copy-models.yaml")
    beside = Manifests([*Manifests.render(SMALL).objects, *copying.objects])
    problems += [f"copy-models: {each}" for rule in POD_RULES for each in rule(beside)]
    return problems, count + len(copying.objects)


def rendered(folder: Path) -> Iterator[tuple[str, Manifests]]:
    """Every overlay, and the small one with each component."""
    overlays = sorted((folder / "overlays").iterdir())
    for overlay in overlays:
        yield overlay.name, Manifests.render(overlay)
    for component in sorted((folder / "components").iterdir()):
        yield f"small with {component.name}", Manifests.render_with(SMALL, component)
