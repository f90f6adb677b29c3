"""What every service of the Compose file has to be."""

from collections.abc import Iterator

from scripts.check_deploy.compose_file import ComposeFile
from scripts.check_deploy.pod_rules import holds_password, image_problem, secret_name
from scripts.check_deploy.quantities import size

_MAX_REDIS_SHARE = 0.75


def follows_specification(file: ComposeFile) -> Iterator[str]:
    """The Compose specification knows every key and every value's form."""
    yield from file.refusals()


def variables_are_explained(file: ComposeFile) -> Iterator[str]:
    """`.env.example` has the variables that the file reads and no others."""
    for name in sorted(file.used() ^ file.variables.keys()):
        yield f"{name}: expected both in compose.yaml and in .env.example"


def restricted(file: ComposeFile) -> Iterator[str]:
    """No process is root, changes its image, or has or gets a privilege."""
    for name, service in file.services.items():
        if str(service.get("user", "0")).partition(":")[0] in ("", "0", "root"):
            yield f"{name}: expected a user other than root"
        if service.get("read_only") is not True or not service.get("tmpfs"):
            yield f"{name}: expected read_only and a tmpfs"
        if service.get("cap_drop") != ["ALL"] or service.get("cap_add"):
            yield f"{name}: expected cap_drop ALL and no cap_add"
        if "no-new-privileges:true" not in service.get("security_opt", []):
            yield f"{name}: expected no-new-privileges"
        if any(service.get(key) for key in ("privileged", "pid", "ipc", "network_mode", "devices")):
            yield f"{name}: expected no privilege and nothing of the host"


def bounded(file: ComposeFile) -> Iterator[str]:
    """Every service has limits; Redis refuses writes before it reaches its own, and logs are cut."""
    for name, service in file.services.items():
        limits = service.get("deploy", {}).get("resources", {}).get("limits", {})
        if not {"cpus", "memory", "pids"} <= limits.keys():
            yield f"{name}: expected limits of cpus, memory and pids"
        elif service.get("entrypoint") == ["redis-server"]:
            line = service["command"]
            most = size(line[line.index("--maxmemory") + 1]) if "--maxmemory" in line else float("inf")
            if most > _MAX_REDIS_SHARE * size(limits["memory"]):
                yield f"{name}: expected --maxmemory of at most {_MAX_REDIS_SHARE:.0%} of the limit"
        if "max-size" not in service.get("logging", {}).get("options", {}):
            yield f"{name}: expected logs with a max-size"


def watched(file: ComposeFile) -> Iterator[str]:
    """Whoever listens has a health check, all start again, and who needs another waits until it is healthy."""
    for name, service in file.services.items():
        listens = service.get("expose") or service.get("ports")
        if listens and not service.get("healthcheck", {}).get("test"):
            yield f"{name}: expected a healthcheck"
        if service.get("restart") != "unless-stopped":
            yield f"{name}: expected restart unless-stopped"
        for other, how in service.get("depends_on", {}).items():
            checked = "healthcheck" in file.services.get(other, {})
            wanted = "service_healthy" if checked else "service_started"
            if other not in file.services or how["condition"] != wanted:
                yield f"{name}: expected to wait until {other} is {wanted}"


def separated(file: ComposeFile) -> Iterator[str]:
    """Only the gateway has a way out, its port is for this machine, and TF Serving and Redis are apart."""
    networks = file.content["networks"]
    for name, service in file.services.items():
        outside = [each for each in service["networks"] if not (networks[each] or {}).get("internal")]
        if (outside or service.get("ports")) and name != "gateway":
            yield f"{name}: expected internal networks and no published port"
        for port in service.get("ports", []):
            if not port.startswith("127.0.0.1:"):
                yield f"{name}: expected a port of 127.0.0.1 unless told otherwise, got {port}"
    if set(file.services["tf-serving"]["networks"]) & set(file.services["redis"]["networks"]):
        yield "tf-serving and redis: expected no network that both are on"


def neighbors_share_networks(file: ComposeFile) -> Iterator[str]:
    """Whoever names another as HOST:PORT or has Redis' address is on a network with it."""
    for name, service in file.services.items():
        others = {
            text.rpartition("=")[2].partition(":")[0]
            for text in service.get("command", [])
            if text.startswith("--model-server=")
        } | {"redis" for secret in service.get("secrets", []) if secret["source"] == "redis_url"}
        for other in sorted(others):
            if not set(service["networks"]) & set(file.services.get(other, {}).get("networks", [])):
                yield f"{name}: expected a network that {other} is on too"


def mounts_for_reading(file: ComposeFile) -> Iterator[str]:
    """What is mounted from the machine is read alone."""
    for name, service in file.services.items():
        for volume in service.get("volumes", []):
            if volume["type"] == "bind" and volume.get("read_only") is not True:
                yield f"{name}: expected {volume['target']} to be read_only"


def secrets_are_files(file: ComposeFile) -> Iterator[str]:
    """No secret is in the file, in an environment or on a command line, and no Docker secret is missing."""
    for name, secret in file.content["secrets"].items():
        if set(secret) != {"file"}:
            yield f"{name}: expected the secret as a file"
    for name, service in file.services.items():
        yield from (
            f"{name}: expected no value of {key}"
            for key in service.get("environment", {})
            if secret_name(key)
        )
        for secret in service.get("secrets", []):
            if secret["source"] not in file.content["secrets"]:
                yield f"{name}: expected a secret {secret['source']}"
        if any(holds_password(str(text)) for text in service.get("command", [])):
            yield f"{name}: expected no password on the command line"


def images_are_pinned(file: ComposeFile) -> Iterator[str]:
    """An image is named with its version."""
    for name, service in file.services.items():
        problem = image_problem(service["image"])
        if problem:
            yield f"{name}: {problem}"
