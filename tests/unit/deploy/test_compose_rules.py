"""Every rule holds for deploy/compose, and breaks where it is broken on purpose."""

import copy
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.check_deploy import compose_rules
from scripts.check_deploy.check import COMPOSE_RULES
from scripts.check_deploy.compose_file import ComposeFile

COMPOSE = Path(__file__).resolve().parents[3] / "deploy" / "compose" / "compose.yaml"

Break = Callable[[ComposeFile], object]


def service(file: ComposeFile, name: str = "gateway") -> dict:
    return file.services[name]


EXAMPLES: list[tuple[Callable, Break, str]] = [
    (compose_rules.follows_specification, lambda f: service(f).update(imag="adlens:1"), "imag"),
    (
        compose_rules.follows_specification,
        lambda f: service(f)["depends_on"]["redis"].update(condition="service_up"),
        "service_up",
    ),
    (
        compose_rules.variables_are_explained,
        lambda f: f.variables.pop("ADLENS_PORT"),
        "ADLENS_PORT: expected both",
    ),
    (compose_rules.variables_are_explained, lambda f: f.variables.update(OTHER="1"), "OTHER: expected both"),
    (compose_rules.restricted, lambda f: service(f).update(user="0:0"), "gateway: .* other than root"),
    (compose_rules.restricted, lambda f: service(f).pop("user"), "gateway: .* other than root"),
    (compose_rules.restricted, lambda f: service(f).update(read_only=False), "gateway: expected read_only"),
    (compose_rules.restricted, lambda f: service(f).update(cap_add=["SYS_ADMIN"]), "no cap_add"),
    (compose_rules.restricted, lambda f: service(f).pop("security_opt"), "no-new-privileges"),
    (compose_rules.restricted, lambda f: service(f).update(network_mode="host"), "nothing of the host"),
    (
        compose_rules.bounded,
        lambda f: service(f)["deploy"]["resources"]["limits"].pop("pids"),
        "gateway: expected limits",
    ),
    (
        compose_rules.bounded,
        # 2.5 of 3 GiB are 83 %.
        lambda f: service(f, "redis").update(command=["/etc/redis/redis.conf", "--maxmemory", "2.5gb"]),
        "redis: expected --maxmemory of at most 75%",
    ),
    (compose_rules.bounded, lambda f: service(f).pop("logging"), "gateway: expected logs with a max-size"),
    (compose_rules.watched, lambda f: service(f).pop("healthcheck"), "gateway: expected a healthcheck"),
    (compose_rules.watched, lambda f: service(f).pop("restart"), "gateway: expected restart"),
    (
        compose_rules.watched,
        lambda f: service(f)["depends_on"]["redis"].update(condition="service_started"),
        "gateway: expected to wait until redis is service_healthy",
    ),
    (
        compose_rules.separated,
        lambda f: f.content["networks"]["stores"].pop("internal"),
        "redis: expected internal",
    ),
    (
        compose_rules.separated,
        lambda f: service(f, "redis").update(ports=["127.0.0.1:6379:6379"]),
        "redis: .* port",
    ),
    (
        compose_rules.separated,
        lambda f: service(f).update(ports=["8080:8080"]),
        "gateway: expected a port of 127",
    ),
    (compose_rules.separated, lambda f: service(f, "redis")["networks"].append("models"), "that both are on"),
    (
        compose_rules.neighbors_share_networks,
        lambda f: service(f, "encoder-service")["networks"].remove("models"),
        "encoder-service: expected a network that tf-serving is on too",
    ),
    (
        compose_rules.neighbors_share_networks,
        lambda f: service(f, "publisher").update(networks=["models"]),
        "publisher: expected a network that redis is on too",
    ),
    (
        compose_rules.mounts_for_reading,
        lambda f: service(f)["volumes"][0].pop("read_only"),
        "gateway: expected /models to be read_only",
    ),
    (
        compose_rules.secrets_are_files,
        lambda f: f.content["secrets"].update(redis_url={"environment": "REDIS_URL"}),
        "redis_url: expected the secret as a file",
    ),
    (
        compose_rules.secrets_are_files,
        lambda f: service(f)["environment"].update(REDIS_PASSWORD="x"),
        "gateway: expected no value of REDIS_PASSWORD",
    ),
    (
        compose_rules.secrets_are_files,
        lambda f: service(f, "redis")["command"].extend(["--requirepass", "x"]),
        "redis: expected no password on the command line",
    ),
    (
        compose_rules.secrets_are_files,
        lambda f: f.content["secrets"].pop("gateway_tokens"),
        "gateway: expected a secret gateway_tokens",
    ),
    (
        compose_rules.images_are_pinned,
        lambda f: service(f).update(image="adlens"),
        "with a version, got adlens",
    ),
]


@pytest.fixture
def compose() -> ComposeFile:
    return ComposeFile(COMPOSE)


def test_every_rule_has_an_example() -> None:
    assert {rule for rule, *_ in EXAMPLES} == set(COMPOSE_RULES)


@pytest.mark.parametrize("rule", COMPOSE_RULES, ids=lambda rule: rule.__name__)
def test_rule_holds(rule: Callable, compose: ComposeFile) -> None:
    assert list(rule(compose)) == []


@pytest.mark.parametrize(
    ("rule", "damage", "message"), EXAMPLES, ids=[f"{rule.__name__}-{text}" for rule, _, text in EXAMPLES]
)
def test_rule_breaks(rule: Callable, damage: Break, message: str, compose: ComposeFile) -> None:
    # Services share what they take from the restrictions above them.
    compose.content["services"] = {name: copy.deepcopy(each) for name, each in compose.services.items()}
    damage(compose)
    assert re.search(message, "\n".join(rule(compose)))


def test_variables_are_filled_in(tmp_path: Path) -> None:
    (tmp_path / ".env.example").write_text("# A port.\nPORT=80\n")
    (tmp_path / "compose.yaml").write_text(
        'services: {a: {image: "x:${TAG:-1.0}", ports: ["${PORT:?a port}:80"], command: [echo, $$HOME]}}\n'
    )
    file = ComposeFile(tmp_path / "compose.yaml")
    assert file.services["a"] == {"image": "x:1.0", "ports": ["80:80"], "command": ["echo", "$HOME"]}
    assert file.used() == {"TAG", "PORT"}
