"""Alerts on what the parts really tell."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import promql_parser
from fastapi.routing import APIRoute
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from scripts.check_deploy.manifests import Manifests
from serving.embedding_index.lmdb_embedding_index import LmdbEmbeddingIndex
from serving.encoder_service.service_metrics import ServiceMetrics
from serving.gateway.http.app import create_app
from serving.gateway.http.gateway_metrics import GatewayMetrics
from serving.item_queue.sqlite_item_queue import SqliteItemQueue

# Names of labels with their values, by metric.
Told = dict[str, dict[str, set[str]]]

# Of TF Serving, with the labels that it gives them.
_TF_SERVING: Told = {":tensorflow:serving:request_count": {"model_name": set(), "status": set()}}
# What Prometheus itself adds when it collects.
_COLLECTED = {"le", "instance", "job", "namespace", "pod", "container"}
# Labels whose values the parts have from the start.
_FIXED = {"route", "part", "stage", "outcome"}
_STATUS = {
    "ready": True,
    "release": 1,
    "items": 1,
    "recallable": 1,
    "searchable": {"image": 1},
    "feed": {"added": 1, "not_added": 0, "errors": 0},
}


def alerts_are_whole(manifests: Manifests) -> Iterator[str]:
    """Every alert has an expression that Prometheus reads, says how urgent it is and what has happened."""
    for name, rule in _alerts(manifests):
        try:
            promql_parser.parse(rule["expr"])
        except ValueError as error:
            yield f"{name}: {error}"
        if rule.get("labels", {}).get("severity") not in ("page", "ticket"):
            yield f"{name}: expected the severity page or ticket"
        if not rule.get("annotations", {}).get("summary") or "for" not in rule:
            yield f"{name}: expected a summary and for"


def alerts_have_metrics(manifests: Manifests) -> Iterator[str]:
    """Every metric of an alert, and every label and value that it asks for, is one that a part tells."""
    told = told_metrics()
    for name, rule in _alerts(manifests):
        for metric, label, value in _selectors(rule["expr"]):
            if metric not in told:
                yield f"{name}: no part tells {metric}"
            elif label and label not in told[metric].keys() | _COLLECTED:
                yield f"{name}: {metric} has no label {label}"
            elif value is not None and label in _FIXED and value not in told[metric][label]:
                yield f"{name}: {metric} has no {label} {value}"


def told_metrics() -> Told:
    """The metrics of all parts with their labels, as their own pages have them."""
    with TemporaryDirectory() as folder:
        index = LmdbEmbeddingIndex(Path(folder, "index"))
        service = ServiceMetrics(SqliteItemQueue(Path(folder, "queue.db")), index)
        told = _TF_SERVING | _page(service.registry) | _page(_gateway_metrics().registry)
        index.close()
    return told


def _gateway_metrics() -> GatewayMetrics:
    """The gateway's, after one answer on each of its routes."""
    metrics = GatewayMetrics()
    # Its routes and metrics ask nothing else of the engine before the first request.
    engine: Any = SimpleNamespace(status=lambda: _STATUS)
    app = create_app(engine, metrics=metrics)
    for route in app.routes:
        if isinstance(route, APIRoute):
            for method in route.methods or ():
                metrics.count_request(f"{method} {route.path_format}", "200", 0.1)
    app.state.routes.close()
    return metrics


def _page(registry: CollectorRegistry) -> Told:
    found: Told = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
    return found


def _selectors(expression: str) -> list[tuple[str, str, str | None]]:
    """The metrics that an expression reads, each with no label and with each label and value that it asks for."""
    found: list[tuple[str, str, str | None]] = []

    def visit(node: Any) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            name = node.name or ""
            found.append((name, "", None))
            for each in node.matchers.matchers:
                is_equal = each.op == promql_parser.MatchOp.Equal
                found.append((name, each.name, each.value if is_equal else None))
        return True

    promql_parser.walk(promql_parser.parse(expression), visit)
    return found


def _alerts(manifests: Manifests) -> Iterator[tuple[str, dict[str, Any]]]:
    for each in manifests.of("PrometheusRule"):
        for group in each["spec"]["groups"]:
            for rule in group["rules"]:
                yield f"alert {rule['alert']}", rule
