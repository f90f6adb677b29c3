"""What the gateway counts, for Prometheus."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

# Seconds; of answers, and of new items, whose goal is three.
_ANSWER_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2, 5, 10)
_FRESHNESS_BUCKETS = (0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30, 60, 300, 3600)
_DEGRADED = ("ranking", "reorder", "embeddings", "items")
# Prometheus' client keeps the counts of a port's processes here, if there are several.
_FOLDER_OF_ALL = "PROMETHEUS_MULTIPROC_DIR"
_STAGES = ("searchable", "recallable")


class GatewayMetrics(Collector):
    """Requests, answers and new items of this process, and the engine's state at the time of asking.

    Args:
        registry: what Prometheus asks; a new one where absent.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self._status: Callable[[], Mapping[str, Any]] | None = None
        self._requests = self._counter(
            "adlens_gateway_requests", "Requests by route and status", "route", "status"
        )
        self._seconds = self._histogram("adlens_gateway_seconds", "Time of an answer", "route")
        self._parts = self._histogram("adlens_gateway_part_seconds", "Time of a part of recommend", "part")
        self._degraded = self._counter(
            "adlens_gateway_degraded", "Answers of recommend by what they did without", "part"
        )
        self._new_items = self._counter("adlens_gateway_new_items", "New and changed items that were queued")
        self._freshness = self._histogram(
            "adlens_gateway_freshness_seconds",
            "From a new item's introduction to its being found",
            "stage",
            buckets=_FRESHNESS_BUCKETS,
        )
        for part in _DEGRADED:
            self._degraded.labels(part)
        for stage in _STAGES:
            self._freshness.labels(stage)
        self.registry.register(self)

    def watch(self, status: Callable[[], Mapping[str, Any]]) -> None:
        """Takes the gauges from the engine's status from now on."""
        self._status = status

    def count_request(self, route: str, status: str, seconds: float) -> None:
        """Counts an answered request."""
        self._requests.labels(route, status).inc()
        self._seconds.labels(route).observe(seconds)

    def count_answer(self, degraded: Sequence[str], timings_ms: Mapping[str, float]) -> None:
        """Counts an answer of recommend."""
        for part in degraded:
            self._degraded.labels(part).inc()
        for part, milliseconds in timings_ms.items():
            self._parts.labels(part).observe(milliseconds / 1e3)

    def count_new_item(self) -> None:
        """Counts an item that was queued."""
        self._new_items.inc()

    def observe_new_items(self, stage: str, seconds: Sequence[float]) -> None:
        """Counts new items that are "searchable" or "recallable" now, with the seconds that each took."""
        for each in seconds:
            self._freshness.labels(stage).observe(each)

    def page(self) -> bytes:
        """Prometheus' text; of several processes, the sums."""
        if _FOLDER_OF_ALL not in os.environ:
            return generate_latest(self.registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The engine's gauges; those that it does not tell are left out."""
        if self._status is None:
            return
        status = self._status()
        yield GaugeMetricFamily("adlens_gateway_ready", "Whether it can answer", float(status["ready"]))
        for name, text, value in (
            ("adlens_gateway_release", "The release that is served", status["release"]),
            ("adlens_gateway_items", "Items in the item store", status["items"]),
            ("adlens_gateway_recallable_items", "Items that recall may bring", status["recallable"]),
        ):
            if value is not None:
                yield GaugeMetricFamily(name, text, float(value))
        for name, text in (
            ("added", "New items that the indexes have taken in"),
            ("not_added", "New items for which the indexes had no room"),
            ("errors", "Failed looks for new items"),
        ):
            yield GaugeMetricFamily(f"adlens_gateway_feed_{name}", text, float(status["feed"][name]))
        searchable = GaugeMetricFamily(
            "adlens_gateway_searchable_items", "Items that similar finds", labels=["modality"]
        )
        for modality, items in (status["searchable"] or {}).items():
            if items is not None:
                searchable.add_metric([modality], items)
        yield searchable

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing: a registry asks this when the collector joins, and there is no engine yet."""
        return iter(())

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _histogram(
        self, name: str, text: str, *labels: str, buckets: Sequence[float] = _ANSWER_BUCKETS
    ) -> Histogram:
        return Histogram(name, text, labels, buckets=buckets, registry=self.registry)
