"""Whether objects are what the Kubernetes API and Compose define."""

from collections.abc import Iterator

import kubernetes_validate

from scripts.check_deploy.manifests import Manifests

# The oldest that is supported, which is the first with preStop.sleep, and one of the newest.
VERSIONS = ("1.30", "1.36")
# Kinds of the Prometheus operator, whose schemas the API does not have.
EXTENSIONS = {("monitoring.coreos.com/v1", "PodMonitor"), ("monitoring.coreos.com/v1", "PrometheusRule")}


def check_schemas(manifests: Manifests) -> Iterator[str]:
    """Says what the API of either version would refuse, unknown fields included."""
    for each in manifests.objects:
        if (each["apiVersion"], each["kind"]) in EXTENSIONS:
            continue
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(each, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                place = ".".join(map(str, error.path))
                name = each["metadata"]["name"]
                yield f"{each['kind']} {name}: Kubernetes {version} refuses {place}: {error.message}"
